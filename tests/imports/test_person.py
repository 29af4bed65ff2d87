"""One person by a form: the sheet's rules, one way to write, stale forms, races, and the way back."""

import asyncio
import re
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from litestar import Litestar

import ledger
from service import chart, identity
from service.identity.tables import Member
from service.imports.actions_person import FIELDS
from service.imports.cells import Column
from service.kit.tables import Audit
from tests.cast import HERE, Client, Town
from tests.imports.sheets import people
from tests.imports.test_apply import listed

pytestmark = pytest.mark.anyio
HTML = {"accept": "text/html"}
SHUI = {
    "card_no": "0012-7100",
    "name": "沈白鹭",
    "phone": "13800138100",
    "signs_in": "1",
    "grid": "第一网格",
    "building": "1号楼",
    "door": "2-301",
    "born_on": "1956-02-03",
    "resident": "1",
    "volunteer": "1",
}


def as_json(**fields: Any) -> dict[str, Any]:
    """The same person on the wire."""
    whole = {name: value for name, value in SHUI.items() if name not in ("resident", "volunteer")}
    return whole | {"signs_in": True, "roles": ["resident", "volunteer"]} | fields


async def enrolled(wu: Client, **fields: Any) -> str:
    """Added by JSON; answers with the id."""
    answer = await wu.post("/api/people", json=as_json(**fields))
    assert answer.status_code == 201, answer.text
    found: str = answer.json()["member_id"]
    return found


async def particulars(wu: Client, member_id: str) -> dict[str, Any]:
    """Everything, open."""
    found: dict[str, Any] = (await wu.get(f"/api/people/{member_id}/particulars")).json()
    return found


def correction(item: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """The whole person again with something different."""
    names = ("name", "phone", "signs_in", "grid", "building", "door", "born_on", "revision")
    return {name: item[name] for name in names} | fields


async def test_one_person_is_enrolled_by_the_form_and_lets_themselves_in(
    wu: Client, anon: Client, app: Litestar
) -> None:
    shown = await wu.get("/desk/people/new", headers=HTML)
    assert 'name="card_no"' in shown.text
    answer = await wu.post("/desk/people/new", data=SHUI, headers=HTML)
    assert answer.status_code == 303
    assert answer.headers["location"].endswith("?done=imports.person_added")

    (line,) = await listed(wu, "沈白鹭")
    assert (line["card_no"], line["building"], line["roles"]) == ("0012-7100", "1号楼", ["resident", "volunteer"])
    page = await wu.get(answer.headers["location"], headers=HTML)
    assert "登记好了" in page.text
    slip = await wu.post(f"/desk/people/{line['member_id']}/slip", headers=HTML)
    code = re.search(r'<p class="code"><small>([^<]+)</small>([^<]+)</p>', slip.text)
    assert code is not None
    entered = await anon.post("/activate", data={"code": code[1] + code[2], "secret": "246135", "again": "246135"})
    assert entered.status_code == 303
    async with app.state.sessions.begin() as session:
        (found,) = (await identity.particulars_by_card(session, HERE, ["0012-7100"])).values()
        assert (found.phone, found.signs_in, found.door, str(found.born_on)) == (
            "+8613800138100",
            True,
            "2-301",
            "1956-02-03",
        )
        assert await ledger.balance(session, HERE, chart.member(found.member_id), chart.POINT) == 0


async def test_what_is_there_is_corrected_and_what_is_emptied_is_gone(wu: Client) -> None:
    member_id = await enrolled(wu)
    page = await wu.get(f"/desk/people/{member_id}/edit", headers=HTML)
    assert 'value="13800138100"' in page.text
    assert 'value="1956-02-03"' in page.text
    form = {"revision": "1", "name": "沈小鹭", "phone": "", "building": "", "door": "", "born_on": "", "steward": "1"}
    answer = await wu.post(f"/desk/people/{member_id}/edit", data=form, headers=HTML)
    assert answer.status_code == 303
    assert answer.headers["location"].endswith("?done=imports.person_saved")

    found = await particulars(wu, member_id)
    assert (found["name"], found["phone"], found["signs_in"], found["building"], found["door"], found["born_on"]) == (
        "沈小鹭",
        None,
        False,
        None,
        None,
        None,
    )
    (line,) = await listed(wu, "沈小鹭")
    assert line["roles"] == ["resident", "volunteer", "steward"]
    assert [entry["is_new"] for entry in found["history"]] == [False, True]
    assert "姓名：沈白鹭 → 沈小鹭" in found["history"][0]["changes"]
    # A number in the history is masked like everywhere else.
    assert "13800138100" not in str(found["history"])


async def test_the_same_again_changes_nothing(wu: Client) -> None:
    member_id = await enrolled(wu)
    item = await particulars(wu, member_id)

    answer = await wu.put(f"/api/people/{member_id}", json=correction(item))

    assert answer.json() == {"member_id": member_id, "import_id": None}
    assert (await particulars(wu, member_id))["revision"] == 1


@pytest.mark.parametrize(
    ("wrong", "field", "code"),
    [
        ({"card_no": ""}, "card_no", "required"),
        ({"card_no": "第七张"}, "card_no", "card"),
        ({"name": ""}, "name", "required"),
        ({"name": "示例人"}, "name", "example"),
        ({"phone": "12345"}, "phone", "phone"),
        ({"phone": ""}, "phone", "phone_to_sign_in"),
        ({"born_on": "2020-01-01"}, "signs_in", "too_young"),
        ({"born_on": "2100-01-01"}, "born_on", "date_range"),
        ({"door": ""}, "door", "door_missing"),
        ({"building": ""}, "building", "building_missing"),
        ({"building": "9号楼", "grid": ""}, "grid", "grid_missing"),
        ({"building": "长" * 41}, "building", "too_long"),
    ],
)
async def test_the_rules_are_the_sheets(
    wu: Client, wrong: dict[str, str], field: str, code: str, app: Litestar
) -> None:
    typed = SHUI | wrong
    by_form = await wu.post("/desk/people/new", data=typed, headers=HTML)
    by_api = await wu.post("/api/people", json=as_json(**wrong))
    words = {column.value: typed[name] for column, name in FIELDS.items() if name in typed} | {
        Column.SIGNS_IN.value: "是",
        Column.ROLES.value: "居民",
    }
    names = list(words)
    sheet = await wu.post("/api/imports", files={"file": ("a.xlsx", people(*[[words.get(name) for name in names]]))})

    assert (by_form.status_code, by_api.status_code) == (422, 422)
    assert by_api.json()["problems"].get(field) == code
    assert f'id="{field}-error"' in by_form.text
    for name, value in typed.items():
        if name not in ("signs_in", "resident", "volunteer") and value:
            assert f'value="{value}"' in by_form.text
    if sheet.status_code == 201 and sheet.json()["errors"]:
        rows = (await wu.get(f"/api/imports/{sheet.json()['import_id']}/rows?verdict=error")).json()["rows"]
        assert code in {problem["code"] for row in rows for problem in row["problems"]}
    async with app.state.sessions() as session:
        assert await identity.particulars_by_card(session, HERE, ["0012-7100"]) == {}


async def test_a_role_that_no_sheet_gives_is_refused(wu: Client) -> None:
    answer = await wu.post("/api/people", json=as_json(roles=["admin"]))

    assert (answer.status_code, answer.json()["problems"]) == (422, {"roles": "role"})


async def test_a_card_that_somebody_has_is_refused_and_that_person_stays(wu: Client) -> None:
    await enrolled(wu)
    by_api = await wu.post("/api/people", json=as_json(name="别人"))
    by_form = await wu.post("/desk/people/new", data=SHUI | {"name": "别人"}, headers=HTML)

    assert (by_api.status_code, by_api.json()["code"]) == (409, "imports.card_taken")
    assert by_form.status_code == 409
    assert "0012-7100 已经有人了" in by_form.text
    assert 'value="别人"' in by_form.text
    assert await listed(wu, "别人") == []


async def test_a_family_shares_a_number_to_be_called_but_not_to_sign_in(wu: Client) -> None:
    await enrolled(wu)
    taken = await wu.post("/api/people", json=as_json(card_no="0012-7101", name="沈小雨"))
    assert (taken.status_code, taken.json()["problems"]) == (422, {"phone": "login_taken"})

    shared = await wu.post("/api/people", json=as_json(card_no="0012-7101", name="沈小雨", signs_in=False))
    assert shared.status_code == 201


async def test_a_stale_form_is_refused_and_shows_the_person_as_they_are(wu: Client, zheng: Client) -> None:
    member_id = await enrolled(wu)
    item = await particulars(wu, member_id)
    assert (await zheng.put(f"/api/people/{member_id}", json=correction(item, name="沈先改"))).status_code == 200

    form = {**SHUI, "revision": "1", "name": "沈后改"}
    stale = await wu.post(f"/desk/people/{member_id}/edit", data=form, headers=HTML)
    by_api = await wu.put(f"/api/people/{member_id}", json=correction(item, name="沈后改"))

    assert (stale.status_code, by_api.status_code, by_api.json()["code"]) == (409, 409, "imports.person_changed")
    assert "沈先改" in stale.text
    assert 'value="沈后改"' in stale.text
    # Having seen it, the clerk saves on purpose.
    assert '<input type="hidden" name="revision" value="2">' in stale.text
    again = await wu.post(f"/desk/people/{member_id}/edit", data=form | {"revision": "2"}, headers=HTML)
    assert again.status_code == 303
    assert (await particulars(wu, member_id))["name"] == "沈后改"


async def test_two_clerks_save_the_same_form_at_once_and_one_is_told(wu: Client, zheng: Client) -> None:
    """Race: both read the same revision. The second waits for the person's row and finds another revision."""
    member_id = await enrolled(wu)
    item = await particulars(wu, member_id)

    answers = await asyncio.gather(
        *(
            who.put(f"/api/people/{member_id}", json=correction(item, name=name))
            for who, name in ((wu, "沈甲"), (zheng, "沈乙"))
        )
    )

    assert sorted(answer.status_code for answer in answers) == [200, 409]
    assert (await particulars(wu, member_id))["revision"] == 2


async def test_two_clerks_enrol_the_same_card_at_once_and_one_is_told(wu: Client, zheng: Client) -> None:
    """Race: neither sees the other's person, and the unique card number decides; or the phone is seen in use before it."""
    answers = await asyncio.gather(*(who.post("/api/people", json=as_json()) for who in (wu, zheng)))

    assert sorted(answer.status_code for answer in answers) in ([201, 409], [201, 422])
    assert len(await listed(wu, "沈白鹭")) == 1


async def test_two_clerks_give_one_number_to_two_people_at_once_and_one_is_told(
    wu: Client, zheng: Client, app: Litestar
) -> None:
    """Race: neither sees the other's login; `uq_member_login` decides, for new people and for corrected ones."""
    answers = await asyncio.gather(
        *(
            who.post("/api/people", json=as_json(card_no=card, name="沈某"))
            for who, card in ((wu, "0012-7110"), (zheng, "0012-7111"))
        )
    )
    assert sorted(answer.status_code for answer in answers) in ([201, 409], [201, 422])

    ids = [await enrolled(wu, card_no=f"0012-712{n}", name="沈丁", phone=None, signs_in=False) for n in range(2)]
    items = [await particulars(wu, member_id) for member_id in ids]
    answers = await asyncio.gather(
        *(
            who.put(f"/api/people/{item['member_id']}", json=correction(item, phone="13800138199", signs_in=True))
            for who, item in zip((wu, zheng), items, strict=True)
        )
    )
    assert sorted(answer.status_code for answer in answers) in ([200, 409], [200, 422])
    async with app.state.sessions() as session:
        found = await session.execute(
            sa.select(Member.login_id, sa.func.count())  # type: ignore[call-overload] # SQLModel types hide the columns
            .where(sa.column("community_id") == HERE, sa.column("login_id").is_not(None))
            .group_by(sa.text("login_id"))
        )
        assert {count for _, count in found} == {1}


async def test_one_person_is_taken_back_like_any_import(wu: Client) -> None:
    member_id = await enrolled(wu)
    item = await particulars(wu, member_id)
    saved = (await wu.put(f"/api/people/{member_id}", json=correction(item, name="沈错改", door="9-9"))).json()
    edit = await wu.get(f"/desk/people/{member_id}/edit", headers=HTML)
    assert f"/desk/imports/{saved['import_id']}" in edit.text
    shown = await wu.get(f"/desk/imports/{saved['import_id']}", headers=HTML)
    assert "登记或更正一个人" in shown.text

    assert (await wu.post(f"/api/imports/{saved['import_id']}/undo")).status_code == 200
    back = await particulars(wu, member_id)
    assert (back["name"], back["door"]) == ("沈白鹭", "2-301")
    assert [entry["state"] for entry in back["history"]] == ["undone", "applied"]


async def test_a_number_that_a_neighbour_has_by_now_is_not_taken_back(wu: Client) -> None:
    member_id = await enrolled(wu)
    item = await particulars(wu, member_id)
    saved = (await wu.put(f"/api/people/{member_id}", json=correction(item, phone="13800138111"))).json()
    await enrolled(wu, card_no="0012-7101", name="沈小雨")

    answer = await wu.post(f"/api/imports/{saved['import_id']}/undo")

    assert (answer.status_code, answer.json()["code"]) == (409, "imports.login_taken_since")
    assert (await particulars(wu, member_id))["phone"] == "+8613800138111"


async def test_somebody_who_was_closed_is_open_again_when_saved(wu: Client) -> None:
    answer = await wu.post("/api/people", json=as_json())
    assert (await wu.post(f"/api/imports/{answer.json()['import_id']}/undo")).status_code == 200
    member_id = answer.json()["member_id"]
    page = await wu.get(f"/desk/people/{member_id}/edit", headers=HTML)
    assert "保存以后重新启用" in page.text

    item = await particulars(wu, member_id)
    assert item["is_open"] is False
    assert (await wu.put(f"/api/people/{member_id}", json=correction(item))).status_code == 200
    assert (await particulars(wu, member_id))["is_open"] is True


async def test_every_look_and_every_writing_leaves_a_line(wu: Client, app: Litestar) -> None:
    member_id = await enrolled(wu)
    await wu.get(f"/desk/people/{member_id}/edit", headers=HTML)
    item = await particulars(wu, member_id)
    await wu.put(f"/api/people/{member_id}", json=correction(item, name="沈改名"))

    async with app.state.sessions() as session:
        lines = (await session.execute(sa.select(Audit).order_by(sa.text("audit_id")))).scalars().all()
    mine = [line.action for line in lines if line.object_id == member_id]
    assert mine == ["identity.contact_seen", "identity.contact_seen", "identity.updated"]
    assert [line.action for line in lines if line.object_kind == "import"] == [
        "imports.applied",
        "identity.enrolled",
        "imports.applied",
    ]
    assert "沈" not in str([line.detail for line in lines])


async def test_the_same_request_twice_enrols_once(wu: Client) -> None:
    key = {"idempotency-key": "one-person"}
    first = await wu.post("/api/people", json=as_json(), headers=key)
    again = await wu.post("/api/people", json=as_json(), headers=key)
    form = [
        await wu.post(
            "/desk/people/new", data=SHUI | {"card_no": "0012-7101", "phone": "", "signs_in": "", "_key": "k"}
        )
        for _ in range(2)
    ]

    assert first.json() == again.json()
    assert [answer.status_code for answer in form] == [303, 303]
    assert form[0].headers["location"] == form[1].headers["location"]


async def test_neighbours_people_are_not_there(wu: Client, stranger_staff: Client, town: Town) -> None:
    member_id = await enrolled(wu)

    for path in (f"/desk/people/{member_id}/edit", f"/api/people/{member_id}/particulars"):
        assert (await stranger_staff.get(path, headers=HTML)).status_code == 404
    body = as_json(revision=1)
    del body["card_no"]
    assert (await stranger_staff.put(f"/api/people/{member_id}", json=body)).status_code == 404
    assert (await stranger_staff.get(f"/desk/people/{UUID(int=9)}/edit", headers=HTML)).status_code == 404
    del town


async def test_the_form_speaks_english_too(wu: Client) -> None:
    answer = await wu.post("/desk/people/new", data=SHUI | {"phone": "1"}, headers=HTML | {"accept-language": "en"})

    assert answer.status_code == 422
    assert "is not an 11-digit mobile number" in answer.text
