"""One list of everything that waits for staff."""

from datetime import timedelta

import pytest
from litestar import Litestar

from service.kit.access import OFFICE
from service.kit.manifest import InboxRow
from tests.cast import PEOPLE, START, Client, Town, client_of
from tests.desk.conftest import ASKED_BY

pytestmark = pytest.mark.anyio
HTML = {"accept": "text/html"}


def _row(title: str, *, kind: str = "wish", hours: int = 0, is_urgent: bool = False) -> InboxRow:
    return InboxRow(kind, title, "李心愿", START - timedelta(hours=hours), f"/desk/{title}", is_urgent)


async def test_the_urgent_come_first_and_then_the_oldest(wu: Client, waiting: list[InboxRow]) -> None:
    waiting += [
        _row("new"),
        _row("old", hours=9),
        _row("urgent", is_urgent=True),
        _row("urgent-old", hours=1, is_urgent=True),
    ]

    answer = (await wu.get("/api/inbox")).json()

    assert [item["title"] for item in answer["items"]] == ["urgent-old", "urgent", "old", "new"]
    assert answer["counts"] == {"wish": 4}
    page = (await wu.get("/desk", headers=HTML)).text
    assert page.index("/desk/urgent-old") < page.index("/desk/old") < page.index("/desk/new")


async def test_one_kind_alone_and_how_many_of_each(wu: Client, waiting: list[InboxRow]) -> None:
    waiting += [_row("a"), _row("b"), _row("c", kind="settlement")]

    answer = (await wu.get("/api/inbox?kind=settlement")).json()

    assert [item["title"] for item in answer["items"]] == ["c"]
    assert answer["counts"] == {"settlement": 1, "wish": 2}
    assert "/desk/a" not in (await wu.get("/desk?kind=settlement", headers=HTML)).text
    assert (await wu.get("/api/inbox?kind=nothing")).json()["items"] == []


async def test_an_empty_desk_says_so_in_both_languages(wu: Client, waiting: list[InboxRow]) -> None:
    assert "都办完了" in (await wu.get("/desk", headers=HTML)).text
    english = (await wu.get("/desk", headers=HTML | {"accept-language": "en"})).text
    assert '<html lang="en"' in english
    assert "都办完了" not in english


async def test_a_very_long_list_is_cut_and_says_how_long_it_is(wu: Client, waiting: list[InboxRow]) -> None:
    waiting += [_row(f"wish-{number}", hours=number) for number in range(250)]

    answer = (await wu.get("/api/inbox")).json()
    page = (await wu.get("/desk", headers=HTML)).text

    assert (len(answer["items"]), answer["counts"]) == (200, {"wish": 250})
    assert answer["items"][0]["title"] == "wish-249"
    assert "250" in page


async def test_what_people_wrote_is_shown_and_not_run(wu: Client, waiting: list[InboxRow]) -> None:
    waiting.append(InboxRow("wish", "<script>alert(1)</script>", "<b>李</b>", START, "/desk/x"))

    page = (await wu.get("/desk", headers=HTML)).text

    assert "<script>alert" not in page
    assert "&lt;b&gt;李" in page


async def test_every_source_is_told_who_asks_and_when(wu: Client, waiting: list[InboxRow]) -> None:
    await wu.get("/api/inbox")

    assert [(actor.member_id, actor.community_id, now) for actor, now in ASKED_BY] == [
        (wu.actor.member_id, wu.actor.community_id, START)
    ]


async def test_the_desk_is_for_the_office(app: Litestar, town: Town, waiting: list[InboxRow]) -> None:
    for name, (*_, roles, _organisation) in PEOPLE.items():
        async with client_of(app, town.cookies[name]) as client:
            expected = 200 if OFFICE & set(roles) else 403

            assert (await client.get("/desk", headers=HTML)).status_code == expected, name
            assert (await client.get("/api/inbox")).status_code == expected, name


async def test_nobody_is_led_to_the_sign_in(anon: Client) -> None:
    assert (await anon.get("/desk", headers=HTML)).headers["location"] == "/sign-in?next=%2Fdesk"
    assert (await anon.get("/api/inbox")).status_code == 401


async def test_a_long_list_costs_as_much_as_a_short_one(
    wu: Client, waiting: list[InboxRow], statements: list[str]
) -> None:
    waiting.append(_row("a"))
    await wu.get("/desk", headers=HTML)
    for_one = len(statements)
    waiting += [_row(f"wish-{number}") for number in range(49)]
    statements.clear()

    await wu.get("/desk", headers=HTML)

    assert len(statements) == for_one
