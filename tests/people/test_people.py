"""The desk finds people, opens contact data on purpose, gives and ends roles, and hands out ways in."""

import io
from typing import Any

import openpyxl
import sqlalchemy as sa
from litestar import Litestar

from service import identity
from service.kit.clock import local_day
from service.kit.ids import new_id
from tests.cast import HERE, Client, Town, TownClock
from tests.imports.sheets import HE, LIN, printed_codes
from tests.imports.sheets import people as sheet_of


async def with_contact(app: Litestar, clock: TownClock) -> str:
    """A neighbour with a phone and a door; the member id."""
    member_id = new_id()
    async with app.state.sessions.begin() as session:
        person = identity.NewPerson(member_id, "0012-7001", "林小满", phone="+8613800138001", login_phone=True)
        await identity.enrol_people(
            session, community_id=HERE, people=[person], actor=None, day=local_day(clock.now), now=clock.now
        )
    return str(member_id)


async def audit_of(app: Litestar, member_id: str) -> list[tuple[str, dict[str, Any]]]:
    """Actions and details about a person, oldest first."""
    query = "SELECT action, detail FROM audit WHERE object_kind = 'member' AND object_id = :id ORDER BY audit_id"
    async with app.state.sessions.begin() as session:
        return [(row.action, row.detail) for row in await session.execute(sa.text(query), {"id": member_id})]


async def test_whoever_an_import_enrolled_has_it_in_their_history(wu: Client) -> None:
    url = (await wu.post("/desk/imports", files={"file": ("人员.xlsx", sheet_of(LIN, HE))})).headers["location"]
    assert (await wu.post(f"{url}/apply")).status_code == 303
    member_id = (await wu.get("/api/people", params={"q": LIN[0]})).json()["people"][0]["member_id"]

    page = (await wu.get(f"/desk/people/{member_id}")).text

    assert page.partition("<h2>操作记录</h2>")[2].count("登记入册") == 1


async def names(who: Client, **query: str) -> list[str]:
    """What the page's search finds, by way of its JSON twin."""
    return [line["name"] for line in (await who.get("/api/people", params=query)).json()["people"]]


async def test_people_are_found_by_name_card_phone_and_role(wu: Client, app: Litestar, clock: TownClock) -> None:
    await with_contact(app, clock)

    assert await names(wu, q="小满") == ["林小满"]
    assert await names(wu, q="0012-70") == ["林小满"]
    assert await names(wu, q="0012-") != []
    assert await names(wu, q="138 0013 8001") == ["林小满"]
    assert await names(wu, role="steward") == ["唐楼长"]
    assert await names(wu, q="没有这个人") == []


async def test_lists_and_pages_mask_the_phone_number(wu: Client, app: Litestar, clock: TownClock) -> None:
    member_id = await with_contact(app, clock)

    for path in ("/desk/people?q=林", f"/desk/people/{member_id}", f"/api/people/{member_id}"):
        text = (await wu.get(path)).text
        assert "138****8001" in text
        assert "13800138001" not in text


async def test_contact_data_is_opened_with_a_reason_and_the_look_is_written_down(
    wu: Client, app: Litestar, clock: TownClock
) -> None:
    member_id = await with_contact(app, clock)

    silent = await wu.post(f"/desk/people/{member_id}/contact", data={})
    opened = await wu.post(f"/desk/people/{member_id}/contact", data={"reason": "visit"})

    assert silent.status_code == 422
    assert "13800138001" not in silent.text
    assert opened.status_code == 200
    assert "13800138001" in opened.text
    looks = [detail for action, detail in await audit_of(app, member_id) if action == "identity.contact_seen"]
    assert looks == [{"reason": "visit"}]
    assert "上门走访" in (await wu.get(f"/desk/people/{member_id}")).text


async def test_neighbours_are_not_found(stranger_staff: Client, app: Litestar, clock: TownClock) -> None:
    member_id = await with_contact(app, clock)

    answers = [await stranger_staff.get(f"/api/people/{member_id}")]
    answers.append(await stranger_staff.post(f"/api/people/{member_id}/contact", json={"reason": "visit"}))
    answers.append(await stranger_staff.post(f"/api/people/{member_id}/slip"))
    answers.append(await stranger_staff.post(f"/api/people/{member_id}/sessions/end"))

    assert {answer.status_code for answer in answers} == {404}
    assert {answer.json()["code"] for answer in answers} == {"identity.person_not_found"}
    assert await names(stranger_staff, q="林") == []


async def test_an_administrator_gives_and_ends_roles_and_the_history_stays(
    jiang: Client, li: Client, wu: Client
) -> None:
    url = f"/desk/people/{li.actor.member_id}"

    given = await jiang.post(f"{url}/roles", data={"role": "volunteer"})
    again = await jiang.post(f"{url}/roles", data={"role": "volunteer"})
    ended = await jiang.post(f"{url}/roles/end", data={"role": "volunteer"})

    assert (given.status_code, again.status_code, ended.status_code) == (303, 409, 303)
    assert "已经有这个身份" in again.text
    held = (await jiang.get(f"/api/people/{li.actor.member_id}")).json()["roles"]
    assert [(role["role"], role["until_on"] is None) for role in held] == [("resident", True), ("volunteer", False)]
    assert (await wu.post(f"{url}/roles", data={"role": "admin"})).status_code == 403


async def test_a_role_for_a_shop_names_a_shop_and_no_other_role_does(jiang: Client, li: Client, town: Town) -> None:
    url = f"/api/people/{li.actor.member_id}/roles"
    bakery, team = (str(town.organisations[name]) for name in ("bakery", "team"))

    assert (await jiang.post(url, json={"role": "clerk"})).json()["problems"] == {"organisation_id": "required"}
    assert (await jiang.post(url, json={"role": "clerk", "organisation_id": team})).json()[
        "code"
    ] == "people.organisation_does_not_fit"
    assert (await jiang.post(url, json={"role": "auditor", "organisation_id": team})).json()[
        "code"
    ] == "people.organisation_does_not_fit"
    elsewhere = await jiang.post(
        url, json={"role": "clerk", "organisation_id": str(town.organisations["elsewhere_shop"])}
    )
    assert elsewhere.json()["code"] == "communities.organisation_not_found"
    assert (await jiang.post(url, json={"role": "clerk", "organisation_id": bakery})).status_code == 204
    people = (await jiang.get(f"/api/organisations/{bakery}")).json()["people"]
    assert {(item["name"], item["role"]) for item in people} == {("周面包", "merchant_owner"), ("李心愿", "clerk")}


async def test_nobody_changes_their_own_roles(jiang: Client) -> None:
    answer = await jiang.post(f"/api/people/{jiang.actor.member_id}/roles", json={"role": "finance"})

    assert (answer.status_code, answer.json()["code"]) == (409, "identity.cannot_change_own_roles")


async def test_a_lost_phone_is_signed_out_everywhere(wu: Client, li: Client) -> None:
    assert (await li.get("/me")).status_code == 200

    assert (await wu.post(f"/desk/people/{li.actor.member_id}/sessions/end")).status_code == 303

    assert (await li.get("/me")).status_code == 303


async def test_one_device_is_signed_out(wu: Client, li: Client) -> None:
    (open_,) = (await wu.get(f"/api/people/{li.actor.member_id}")).json()["sessions"]

    await wu.post(f"/desk/people/{li.actor.member_id}/sessions/{open_['session_id']}/end")

    assert (await wu.get(f"/api/people/{li.actor.member_id}")).json()["sessions"] == []


async def test_one_device_is_signed_out_by_the_api_and_only_that_persons(wu: Client, li: Client, chen: Client) -> None:
    (open_,) = (await wu.get(f"/api/people/{li.actor.member_id}")).json()["sessions"]
    end = f"sessions/{open_['session_id']}/end"

    assert (await wu.post(f"/api/people/{chen.actor.member_id}/{end}")).status_code == 204
    assert (await li.get("/api/me")).status_code == 200
    assert (await wu.post(f"/api/people/{li.actor.member_id}/{end}")).status_code == 204
    assert (await li.get("/api/me")).status_code == 401


async def test_a_slip_lets_the_person_choose_a_pin(wu: Client, li: Client, anon: Client) -> None:
    slip = await wu.post(f"/desk/people/{li.actor.member_id}/slip")

    (code,) = printed_codes(slip.text)
    assert slip.text.count("<svg") == 1
    assert (await anon.get("/A/" + code.replace(" ", ""))).status_code == 200


async def test_only_an_administrator_hands_a_code_to_somebody_of_the_office(
    wu: Client, jiang: Client, qian: Client
) -> None:
    url = f"/api/people/{qian.actor.member_id}/slip"

    refused = await wu.post(url)

    assert (refused.status_code, refused.json()["code"]) == (403, "people.office_needs_admin")
    assert (await jiang.post(url)).status_code == 200


async def test_the_list_leaves_as_a_file_without_formulas_and_that_is_written_down(wu: Client, app: Litestar) -> None:
    answer = await wu.post("/api/imports", files={"file": ("x.xlsx", sheet_of(["0012-7001", "=1+1", "13800138001"]))})
    await wu.post(f"/api/imports/{answer.json()['import_id']}/apply")

    text = (await wu.get("/desk/people/export.csv", params={"q": "0012-7001"})).content.decode("utf-8-sig")
    book = (await wu.get("/desk/people/export.xlsx", params={"q": "0012-7001"})).content

    assert text.splitlines()[1].startswith("0012-7001,'=1+1,13800138001,否")
    cell = openpyxl.load_workbook(io.BytesIO(book))["人员"]["B2"]
    assert (cell.value, cell.data_type) == ("=1+1", "s")
    exports = [detail for action, detail in await audit_of(app, "list") if action == "people.exported"]
    assert exports == [{"people": 1, "form": "csv"}, {"people": 1, "form": "xlsx"}]


async def test_the_export_is_what_the_filter_finds(wu: Client) -> None:
    text = (await wu.get("/desk/people/export.csv", params={"role": "volunteer"})).content.decode("utf-8-sig")

    assert [line.split(",")[1] for line in text.splitlines()[1:]] == ["陈助人", "孙乐助", "卫领队"]


async def test_an_organisation_is_registered_once(wu: Client, he: Client) -> None:
    form = {"kind": "merchant", "name": "老马早点", "address": "2 号楼底商", "phone": "029-0000-0002"}

    opened = await wu.post("/desk/organisations", data=form)
    again = await wu.post("/desk/organisations", data=form)

    assert opened.status_code == 303
    assert again.status_code == 409
    assert "已经有叫“老马早点”的单位了" in again.text
    assert "老马早点" in (await he.get("/desk/organisations")).text
    assert (await he.post("/desk/organisations", data=form)).status_code == 403


async def test_residents_and_shops_see_no_lists_of_people(li: Client, zhou: Client, chen: Client, he: Client) -> None:
    for who in (li, zhou, chen, he):
        for path in ("/desk/people", "/api/people", "/desk/people/export.xlsx", f"/desk/people/{li.actor.member_id}"):
            assert (await who.get(path)).status_code == 403, path


async def test_a_list_costs_the_same_for_one_row_and_for_fifty(wu: Client, app: Litestar) -> None:
    answer = await wu.post(
        "/api/imports", files={"file": ("x.xlsx", sheet_of(*[[f"0012-8{i:03}", "丁芒种"] for i in range(60)]))}
    )
    await wu.post(f"/api/imports/{answer.json()['import_id']}/apply")
    counted: list[str] = []

    def count(*args: Any) -> None:
        counted.append(args[2])

    sa.event.listen(app.state.engine.sync_engine, "before_cursor_execute", count)
    costs = []
    for text in ("唐楼长", "丁"):
        counted.clear()
        await wu.get("/desk/people", params={"q": text})
        costs.append(len(counted))

    assert costs[0] == costs[1]


async def test_the_log_names_no_number_where_a_whole_list_was_taken(wu: Client, zheng: Client, he: Client) -> None:
    await wu.get("/desk/people/export.csv", params={"q": "0012-7001"})

    page = (await he.get("/desk/audit")).text

    assert "people.exported" in page
    assert ">list<" not in page
