"""From upload to people: the dry run writes nothing, applying writes all or none, twice is once."""

import asyncio
import io
from typing import Any
from uuid import UUID

import openpyxl
import pytest
import sqlalchemy as sa
from litestar import Litestar

import ledger
from service import chart, identity
from service.chart import Reason
from service.imports import actions, actions_apply
from service.imports.queries import batch_for
from service.imports.rules import CheckedTooLongAgo
from tests.cast import HERE, Client, TownClock
from tests.imports.sheets import HE, HEADINGS, LIN, people, xlsx


async def upload(who: Client, content: bytes, name: str = "人员.xlsx") -> dict[str, Any]:
    """The checked import."""
    answer = await who.post("/api/imports", files={"file": (name, content)})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def bring_in(who: Client, *rows: Any) -> dict[str, Any]:
    """Check and apply."""
    batch = await upload(who, people(*rows))
    answer = await who.post(f"/api/imports/{batch['import_id']}/apply")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def listed(who: Client, text: str) -> list[dict[str, Any]]:
    """What the search finds."""
    found: list[dict[str, Any]] = (await who.get("/api/people", params={"q": text})).json()["people"]
    return found


async def rows_of(who: Client, batch: dict[str, Any], verdict: str) -> list[dict[str, Any]]:
    """An import's rows."""
    answer = await who.get(f"/api/imports/{batch['import_id']}/rows", params={"verdict": verdict})
    found: list[dict[str, Any]] = answer.json()["rows"]
    return found


def counts(batch: dict[str, Any]) -> tuple[int, ...]:
    return tuple(batch[name] for name in ("new", "changed", "unchanged", "conflicts", "errors"))


async def test_checking_a_sheet_changes_nobody(wu: Client) -> None:
    batch = await upload(wu, people(LIN, HE))

    assert (batch["state"], counts(batch)) == ("checked", (2, 0, 0, 0, 0))
    assert await listed(wu, "林小满") == []


async def test_applying_enrols_people_with_roles_accounts_and_a_way_in(wu: Client, app: Litestar) -> None:
    batch = await bring_in(wu, LIN, HE)

    (lin,) = await listed(wu, "13800138001")
    assert batch["state"] == "applied"
    assert (lin["name"], lin["card_no"], lin["building"], lin["roles"]) == (
        "林小满",
        "0012-7001",
        "1号楼",
        ["resident", "volunteer"],
    )
    assert lin["phone_masked"] == "138****8001"
    async with app.state.sessions.begin() as session:
        (found,) = (await identity.particulars_by_card(session, HERE, ["0012-7001"])).values()
        assert (found.signs_in, found.door, str(found.born_on)) == (True, "101", "1950-03-05")
        assert await ledger.balance(session, HERE, chart.member(found.member_id), chart.POINT) == 0


async def test_the_same_sheet_again_changes_nothing(wu: Client) -> None:
    await bring_in(wu, LIN, HE)

    again = await upload(wu, people(LIN, HE))
    answer = await wu.post(f"/api/imports/{again['import_id']}/apply")

    assert counts(again) == (0, 0, 2, 0, 0)
    assert (answer.status_code, answer.json()["code"]) == (409, "imports.nothing_to_apply")


async def test_errors_are_named_row_by_row_and_the_good_rows_go_in(wu: Client) -> None:
    twice = [LIN[0], "林大满"]
    wrong = ["0012-7003", "安白露", "1380013800"]
    taken = ["0012-7004", "常霜降", "13800138001", "是"]
    batch = await upload(wu, people(LIN, HE, twice, wrong, taken))

    said = [
        f"第 {row['row']} 行 {problem['sentence']}"
        for row in await rows_of(wu, batch, "error")
        for problem in row["problems"]
    ]
    assert said == [
        "第 4 行 卡号：和第 2 行重复",
        "第 5 行 手机号：不是 11 位手机号",
        "第 6 行 手机号：和第 2 行用同一个号码登录",
    ]
    assert (await wu.post(f"/api/imports/{batch['import_id']}/apply")).json()["new"] == 2


async def test_a_family_may_share_a_number_to_be_called(wu: Client) -> None:
    assert counts(await upload(wu, people(LIN, [*HE[:2], LIN[2], "否"]))) == (2, 0, 0, 0, 0)


async def test_a_number_that_signs_a_neighbour_in_is_refused(wu: Client) -> None:
    await bring_in(wu, LIN)

    batch = await upload(wu, people(["0012-7009", "乐立夏", LIN[2], "是"]))

    (row,) = await rows_of(wu, batch, "error")
    assert [problem["code"] for problem in row["problems"]] == ["login_taken"]


async def test_buildings_need_a_grid_once_and_stay_in_it(wu: Client) -> None:
    await bring_in(wu, LIN)

    batch = await upload(
        wu,
        people(
            ["0012-7010", "甲一", "", "", "", "1号楼", "201"],
            ["0012-7011", "甲二", "", "", "第二网格", "1号楼", "202"],
            ["0012-7012", "甲三", "", "", "", "9号楼", "203"],
            ["0012-7013", "甲四", "", "", "第二网格", "", ""],
        ),
    )

    problems = [problem["code"] for row in await rows_of(wu, batch, "error") for problem in row["problems"]]
    assert (counts(batch), problems) == ((1, 0, 0, 0, 3), ["grid_differs", "grid_missing", "building_missing"])


async def test_an_exported_sheet_can_be_edited_and_imported_again(wu: Client) -> None:
    await bring_in(wu, LIN, HE)
    book = openpyxl.load_workbook(io.BytesIO((await wu.get("/desk/people/export.xlsx")).content))
    page = book["人员"]
    place = {str(row[0].value): row for row in page.iter_rows(min_row=2)}
    place["0012-7001"][2].value = "13900139001"
    place["0012-7002"][8].value = "居民、楼门长"
    edited = io.BytesIO()
    book.save(edited)

    batch = await upload(wu, edited.getvalue())

    assert counts(batch)[1:] == (2, len(place) - 2, 0, 0)
    said = {row["card_no"]: row["changes"] for row in await rows_of(wu, batch, "changed")}
    assert said == {"0012-7001": ["手机号：138****8001 → 139****9001"], "0012-7002": ["增加身份：楼门长"]}
    await wu.post(f"/api/imports/{batch['import_id']}/apply")
    assert [item["card_no"] for item in await listed(wu, "13900139001")] == ["0012-7001"]


async def test_whoever_was_changed_since_the_export_is_a_conflict_and_left_alone(wu: Client) -> None:
    await bring_in(wu, LIN)
    exported: list[list[object]] = [[*HEADINGS, "版本"], [*LIN[:2], "13700137001", *LIN[3:], 1]]
    await bring_in(wu, [*LIN[:2], "13900139001", *LIN[3:]])

    batch = await upload(wu, xlsx(exported))

    assert counts(batch) == (0, 0, 0, 1, 0)
    assert (await wu.post(f"/api/imports/{batch['import_id']}/apply")).status_code == 409
    assert [item["card_no"] for item in await listed(wu, "13900139001")] == ["0012-7001"]


async def test_a_card_number_of_an_exported_sheet_cannot_be_changed(wu: Client) -> None:
    batch = await upload(wu, xlsx([[*HEADINGS, "版本"], ["0012-7999", *LIN[1:], 1]]))

    (row,) = await rows_of(wu, batch, "error")
    assert [problem["code"] for problem in row["problems"]] == ["card_unknown"]


async def test_an_empty_cell_leaves_what_is_there_and_the_word_for_nothing_clears_it(wu: Client, app: Litestar) -> None:
    await bring_in(wu, LIN)

    kept = await upload(wu, people([*LIN[:2]]))
    cleared = await bring_in(wu, [*LIN[:2], "无", "", "", "无", "无", "无"])

    async with app.state.sessions.begin() as session:
        (lin,) = (await identity.particulars_by_card(session, HERE, ["0012-7001"])).values()
    assert counts(kept) == (0, 0, 1, 0, 0)
    assert cleared["changed"] == 1
    assert (lin.phone, lin.signs_in, lin.building, lin.door, lin.born_on) == (None, False, None, None, None)


async def test_two_clerks_apply_the_same_import_at_once_and_it_happens_once(wu: Client, zheng: Client) -> None:
    batch = await upload(wu, people(*[[f"0012-8{i:03}", "丁芒种"] for i in range(200)]))

    answers = await asyncio.gather(*(who.post(f"/api/imports/{batch['import_id']}/apply") for who in (wu, zheng)))

    assert [answer.status_code for answer in answers] == [200, 200]
    assert {answer.json()["new"] for answer in answers} == {200}
    assert len(await listed(wu, "0012-8")) == 50


async def test_two_imports_of_the_same_person_at_once_leave_one_person(wu: Client, zheng: Client) -> None:
    batches = [await upload(wu, people(LIN)) for _ in range(2)]

    answers = await asyncio.gather(
        *(who.post(f"/api/imports/{batch['import_id']}/apply") for who, batch in zip((wu, zheng), batches, strict=True))
    )

    assert sorted(answer.status_code for answer in answers) == [200, 409]
    refused = next(answer for answer in answers if answer.status_code == 409)
    assert refused.json()["code"] == "imports.checked_too_long_ago"
    assert len(await listed(wu, "林小满")) == 1


async def test_nothing_is_written_when_somebody_changed_after_the_check(wu: Client) -> None:
    await bring_in(wu, LIN)
    waiting = await upload(wu, people([*LIN[:2], "13700137001", *LIN[3:]], HE))
    await bring_in(wu, [*LIN[:2], "13900139001", *LIN[3:]])

    refused = await wu.post(f"/api/imports/{waiting['import_id']}/apply")
    again = await wu.post(f"/api/imports/{waiting['import_id']}/check-again")
    applied = await wu.post(f"/api/imports/{waiting['import_id']}/apply")

    assert (refused.status_code, refused.json()["code"]) == (409, "imports.checked_too_long_ago")
    assert counts(again.json()) == (1, 1, 0, 0, 0)
    assert applied.status_code == 200
    assert len(await listed(wu, "何谷雨")) == 1


async def test_all_or_none(app: Litestar, wu: Client, clock: TownClock) -> None:
    """The last row meets a card that was taken a moment ago: the first ones are not written either."""
    async with app.state.sessions.begin() as session:
        import_id = await actions.check_sheet(
            session, actor=wu.actor, file_name="x", content=people(HE, LIN), now=clock.now
        )
    await bring_in(wu, LIN)

    with pytest.raises(CheckedTooLongAgo):
        async with app.state.sessions.begin() as session:
            await actions_apply.apply_import(session, actor=wu.actor, import_id=import_id, now=clock.now)

    assert await listed(wu, "何谷雨") == []
    async with app.state.sessions.begin() as session:
        assert (await batch_for(session, wu.actor, import_id)).applied_at is None


async def test_an_import_taken_back_closes_new_people_and_restores_the_others(wu: Client) -> None:
    await bring_in(wu, LIN)
    batch = await bring_in(wu, [*LIN[:2], "13900139001", *LIN[3:8], "楼门长"], HE)

    undone = await wu.post(f"/api/imports/{batch['import_id']}/undo")

    (lin,) = await listed(wu, "林小满")
    (he,) = await listed(wu, "何谷雨")
    assert (undone.json()["state"], undone.json()["kept"]) == ("undone", 0)
    assert (lin["phone_masked"], lin["roles"], lin["is_open"]) == ("138****8001", ["resident", "volunteer"], True)
    assert not he["is_open"]


async def test_a_sheet_that_was_taken_back_can_be_imported_again(wu: Client) -> None:
    batch = await bring_in(wu, LIN)
    await wu.post(f"/api/imports/{batch['import_id']}/undo")

    again = await bring_in(wu, LIN)

    (lin,) = await listed(wu, "林小满")
    assert counts(again) == (0, 1, 0, 0, 0)
    assert lin["is_open"]


async def test_whoever_has_points_already_is_not_taken_back(wu: Client, app: Litestar, clock: TownClock) -> None:
    batch = await bring_in(wu, LIN, HE)
    (lin,) = await listed(wu, "林小满")
    async with app.state.sessions.begin() as session:
        account = chart.member(UUID(lin["member_id"]))
        legs = (ledger.Leg(chart.ISSUED, account, chart.POINT, 500),)
        await ledger.post(
            session, HERE, ledger.Journal("opening:lin", Reason.OPENING_BALANCE, legs, None), now=clock.now
        )

    undone = await wu.post(f"/api/imports/{batch['import_id']}/undo")

    rows = {row["card_no"]: row["kept"] for row in await rows_of(wu, batch, "new")}
    assert undone.json()["kept"] == 1
    assert rows == {"0012-7001": "active", "0012-7002": None}
    assert (await listed(wu, "林小满"))[0]["is_open"]
    assert not (await listed(wu, "何谷雨"))[0]["is_open"]
    page = await wu.get(f"/desk/imports/{batch['import_id']}?show=new")
    assert "已经有往来，没有撤销" in page.text


async def test_when_everybody_was_active_nothing_is_taken_back(wu: Client, app: Litestar, clock: TownClock) -> None:
    batch = await bring_in(wu, LIN)
    await bring_in(wu, [*LIN[:2], "13900139001", *LIN[3:]])

    answer = await wu.post(f"/api/imports/{batch['import_id']}/undo")

    assert (answer.status_code, answer.json()["code"]) == (409, "imports.nothing_to_undo")


async def test_after_thirty_days_it_is_too_late_and_the_sheet_is_forgotten(
    wu: Client, app: Litestar, clock: TownClock
) -> None:
    batch = await bring_in(wu, LIN)
    clock.move(days=31)

    answer = await wu.post(f"/api/imports/{batch['import_id']}/undo")
    (timed,) = [work for item in app.state.slices for work in item.timed if work.name == "imports.forget_rows"]
    async with app.state.sessions.begin() as session:
        forgotten = await timed.work(session, clock.now)

    assert (answer.status_code, answer.json()["code"]) == (409, "imports.too_late_to_undo")
    assert forgotten == 1
    assert await rows_of(wu, batch, "new") == []
    assert (await wu.get(f"/api/imports/{batch['import_id']}")).json()["new"] == 1


async def test_what_a_sheet_says_is_sealed_in_the_database(wu: Client, app: Litestar) -> None:
    await upload(wu, people(LIN))

    async with app.state.sessions.begin() as session:
        rows = (await session.execute(sa.text("SELECT row_to_json(r)::text FROM import_row r"))).scalars().all()
    assert len(rows) == 1
    assert "林小满" not in rows[0]
    assert "林小满".encode().hex() not in rows[0]


async def test_neighbours_see_nothing_of_it(wu: Client, stranger_staff: Client) -> None:
    batch = await upload(wu, people(LIN))
    url = f"/api/imports/{batch['import_id']}"

    answers = [await stranger_staff.get(url), await stranger_staff.get(f"{url}/rows")]
    answers += [await stranger_staff.post(f"{url}/{verb}") for verb in ("apply", "undo", "check-again")]
    page = await stranger_staff.get(f"/desk/imports/{batch['import_id']}")

    assert {answer.json()["code"] for answer in answers} == {"imports.not_found"}
    assert {answer.status_code for answer in answers} | {page.status_code} == {404}
    assert (await stranger_staff.get("/api/imports")).json()["imports"] == []


async def test_only_staff_and_administrators_import(
    li: Client, chen: Client, zhou: Client, zhao: Client, qian: Client, he: Client, jiang: Client
) -> None:
    for who in (li, chen, zhou, zhao, qian, he):
        assert (await who.get("/api/imports")).status_code == 403
        assert (await who.post("/api/imports", files={"file": ("x.xlsx", people(LIN))})).status_code == 403
    assert (await jiang.get("/api/imports")).status_code == 200
