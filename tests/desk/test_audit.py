"""Who did what: for auditors and administrators, of their own community, a page at a time."""

from uuid import UUID

import pytest
from litestar import Litestar

from service.kit import audit
from service.kit.access import Role
from service.kit.ids import new_id
from tests.cast import PEOPLE, START, Client, Town, client_of

pytestmark = pytest.mark.anyio
HTML = {"accept": "text/html"}


async def _did(
    app: Litestar, whom: Client, action: str, *, times: int = 1, id: str = "x", by: UUID | None = None
) -> None:
    async with app.state.sessions.begin() as session:
        for _ in range(times):
            audit.record(session, whom.actor, action, kind="probe", id=id, now=START, on_behalf_of=by)


async def test_the_newest_line_comes_first_with_both_names(app: Litestar, wu: Client, li: Client, he: Client) -> None:
    await _did(app, wu, "probe.first")
    await _did(app, wu, "probe.second", id="y", by=li.actor.member_id)

    items = (await he.get("/api/audit?action=probe.")).json()["items"]

    assert [item["action"] for item in items] == ["probe.second", "probe.first"]
    assert items[0]["actor"] == "吴办事 0012-0009"
    assert items[0]["on_behalf_of"] == "李心愿 0012-0001"
    assert (items[1]["on_behalf_of"], items[1]["object_id"]) == ("", "x")
    page = (await he.get("/desk/audit?action=probe.", headers=HTML)).text
    assert page.index("probe.second") < page.index("probe.first")
    assert "李心愿 0012-0001" in page


async def test_a_request_leads_to_its_line(he: Client, li: Client) -> None:
    ended = await li.delete("/api/session")

    items = (await he.get("/api/audit?action=identity.session_ended")).json()["items"]

    assert [item["request_id"] for item in items] == [ended.headers["x-request-id"]]


async def test_lines_are_found_by_the_beginning_of_the_action_and_by_the_thing(
    app: Litestar, wu: Client, he: Client
) -> None:
    await _did(app, wu, "probe.one", id="a")
    await _did(app, wu, "probe.two", id="b")
    await _did(app, wu, "prober", id="a")

    async def found(**query: str) -> list[str]:
        items = (await he.get("/api/audit", params=query)).json()["items"]
        return [item["action"] for item in items if item["object_kind"] == "probe"]

    assert await found(action="probe.") == ["probe.two", "probe.one"]
    assert await found(object_id="a") == ["prober", "probe.one"]
    assert await found(action="probe.", object_id="a") == ["probe.one"]
    assert await found(action="%") == []
    assert await found(action="probe_") == []
    assert (await he.get("/api/audit", params={"action": "\x00"})).status_code == 422


async def test_another_communitys_lines_are_invisible(app: Litestar, stranger_staff: Client, he: Client) -> None:
    await _did(app, stranger_staff, "probe.elsewhere", id="secret")

    assert (await he.get("/api/audit?action=probe.")).json()["items"] == []
    assert (await he.get("/api/audit?object_id=secret")).json()["items"] == []


async def test_pages_follow_each_other_and_keep_the_filter(app: Litestar, wu: Client, he: Client) -> None:
    await _did(app, wu, "probe.many", times=120)
    seen: list[int] = []
    query: dict[str, str] = {"action": "probe."}
    sizes = []
    while True:
        page = (await he.get("/api/audit", params=query)).json()
        sizes.append(len(page["items"]))
        seen += [item["audit_id"] for item in page["items"]]
        if page["next"] is None:
            break
        query["after"] = page["next"]

    assert sizes == [50, 50, 20]
    assert seen == sorted(set(seen), reverse=True)
    shown = (await he.get("/desk/audit?action=probe.", headers=HTML)).text
    assert "/desk/audit?action=probe.&amp;object_id=&amp;after=" in shown


async def test_a_made_up_cursor_is_refused(he: Client) -> None:
    for after in ("x", "WzFd", "W10"):
        assert (await he.get("/api/audit", params={"after": after})).status_code == 422


async def test_the_log_is_for_auditors_and_administrators(app: Litestar, town: Town) -> None:
    for name, (*_, roles, _organisation) in PEOPLE.items():
        async with client_of(app, town.cookies[name]) as client:
            expected = 200 if {Role.AUDITOR, Role.ADMIN} & set(roles) else 403

            assert (await client.get("/api/audit")).status_code == expected, name
            assert (await client.get("/desk/audit", headers=HTML)).status_code == expected, name


async def test_fifty_lines_cost_as_much_as_one(
    app: Litestar, wu: Client, he: Client, li: Client, statements: list[str]
) -> None:
    await _did(app, wu, "probe.x", by=li.actor.member_id)
    statements.clear()
    await he.get("/desk/audit?action=probe.", headers=HTML)
    for_one = len(statements)
    for client in (wu, li, he):
        await _did(app, client, "probe.x", times=20, id=str(new_id()), by=li.actor.member_id)
    statements.clear()

    await he.get("/desk/audit?action=probe.", headers=HTML)

    assert len(statements) == for_one


async def test_an_empty_log_says_so_in_both_languages(he: Client) -> None:
    assert "没有符合的记录" in (await he.get("/desk/audit?action=none", headers=HTML)).text
    english = (await he.get("/desk/audit?action=none", headers=HTML | {"accept-language": "en"})).text
    assert "没有符合的记录" not in english
