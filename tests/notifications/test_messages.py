"""What happened for somebody: theirs alone, newest first, in their language, at a cost that does not grow."""

from enum import StrEnum
from typing import Any, get_type_hints

import msgspec
import pytest
from litestar import Litestar

from service import facts
from service.kit.i18n import catalogue
from service.kit.ids import new_id
from service.notifications.actions import send
from service.notifications.rules import POST
from tests.cast import HERE, Client, Town
from tests.notifications.conftest import Arrive

pytestmark = pytest.mark.anyio
HTML = {"accept": "text/html"}


async def test_a_message_is_said_in_the_readers_language(li: Client, arrive: Arrive) -> None:
    await arrive(li)

    chinese = (await li.get("/api/messages", headers={"accept-language": "zh"})).json()
    english = (await li.get("/api/messages", headers={"accept-language": "en"})).json()

    assert [item["text"] for item in chinese["items"]] == ["您的心愿上墙了。"]
    assert [item["text"] for item in english["items"]] == ["Your wish is on the wall."]
    assert "您的心愿上墙了。" in (await li.get("/messages", headers=HTML)).text
    page = await li.get("/messages", headers=HTML | {"accept-language": "en"})
    assert "Your wish is on the wall." in page.text
    assert chinese["items"][0]["url"] in page.text


async def test_hours_and_points_are_said_as_people_say_them(app: Litestar, li: Client) -> None:
    async with app.state.sessions.begin() as session:
        fact = facts.AttendanceApproved(
            community_id=HERE,
            attendance_id=new_id(),
            member_id=li.actor.member_id,
            minutes=90,
            points_hundredths=1250,
        )
        await send(session, [fact], app.state.clock())

    text = (await li.get("/api/messages", headers={"accept-language": "en"})).json()["items"][0]["text"]

    assert "1.5 hours" in text
    assert "12.5 points" in text


async def test_what_waits_is_counted_and_can_be_marked_as_read(li: Client, chen: Client, arrive: Arrive) -> None:
    await arrive(li, 3)
    await arrive(chen)
    assert (await li.get("/api/messages")).json()["unread"] == 3

    assert (await li.post("/api/messages/read")).status_code == 204

    after = (await li.get("/api/messages")).json()
    assert (after["unread"], {item["is_read"] for item in after["items"]}) == (0, {True})
    assert (await chen.get("/api/messages")).json()["unread"] == 1


async def test_the_page_marks_as_read_too(li: Client, arrive: Arrive) -> None:
    await arrive(li)
    assert "/messages/read" in (await li.get("/messages", headers=HTML)).text

    answer = await li.post("/messages/read")

    assert (answer.status_code, answer.headers["location"]) == (303, "/messages")
    page = (await li.get("/messages", headers=HTML)).text
    assert 'action="/messages/read"' not in page


async def test_what_the_page_has_shown_was_read(li: Client, arrive: Arrive) -> None:
    await arrive(li, 60)

    assert "新" in (await li.get("/messages", headers=HTML)).text
    assert (await li.get("/api/messages")).json()["unread"] == 10
    assert (await li.get("/api/messages")).json()["unread"] == 10  # a program that looks has read nothing


async def test_other_peoples_messages_are_invisible(
    li: Client, chen: Client, wu: Client, stranger: Client, anon: Client, arrive: Arrive
) -> None:
    await arrive(li)

    for other in (chen, wu, stranger):
        assert (await other.get("/api/messages")).json() == {"items": [], "next": None, "unread": 0}
    assert (await anon.get("/api/messages")).status_code == 401


async def test_nothing_yet_is_said_kindly(li: Client) -> None:
    assert "还没有消息" in (await li.get("/messages", headers=HTML)).text
    assert "no messages" in (await li.get("/messages", headers=HTML | {"accept-language": "en"})).text.lower()


async def test_pages_follow_each_other_without_gap_or_double(li: Client, arrive: Arrive) -> None:
    await arrive(li, 120)
    seen: list[str] = []
    after, sizes = None, []
    while True:
        page = (await li.get("/api/messages", params={"after": after} if after else {})).json()
        sizes.append(len(page["items"]))
        seen += [item["message_id"] for item in page["items"]]
        if (after := page["next"]) is None:
            break

    assert sizes == [50, 50, 20]
    assert len(set(seen)) == 120
    assert seen == sorted(seen, reverse=True)
    shown = (await li.get("/messages", headers=HTML)).text
    assert "/messages?after=" in shown


@pytest.mark.parametrize("after", ["x", "WyJhIl0", "%00", "' OR 1=1", "WzFd" * 100])
async def test_a_made_up_cursor_is_refused(li: Client, after: str) -> None:
    assert (await li.get("/api/messages", params={"after": after})).status_code == 422
    assert (await li.get("/messages", params={"after": after}, headers=HTML)).status_code == 422


@pytest.mark.parametrize("path", ["/messages", "/api/messages"])
async def test_fifty_cost_as_much_as_one(li: Client, arrive: Arrive, statements: list[str], path: str) -> None:
    await arrive(li)
    statements.clear()
    assert (await li.get(path)).status_code == 200
    for_one = len(statements)

    await arrive(li, 49)
    statements.clear()
    assert (await li.get(path)).status_code == 200

    assert len(statements) == for_one
    assert for_one <= 4


@pytest.mark.parametrize("fact", POST, ids=lambda fact: fact.__name__)
async def test_every_letter_has_its_sentence_in_both_languages(app: Litestar, town: Town, fact: type[Any]) -> None:
    """Tell each fact with invented numbers; the sentence must come out without a hole."""
    made: dict[str, Any] = {}
    for name, kind in get_type_hints(fact).items():
        if name == "community_id":
            made[name] = HERE
        elif kind is int:
            made[name] = 7
        elif "UUID" in str(kind):
            people = {"member_id", "asked_by", "volunteer_id"}
            made[name] = town.actors["li"].member_id if name in people else new_id()
            if name in ("organisation_id", "merchant_id"):
                made[name] = town.organisations["bakery"]
            if "tuple" in str(kind):
                made[name] = (town.actors["li"].member_id,)
        elif isinstance(kind, type) and issubclass(kind, StrEnum):
            made[name] = next(iter(kind))
        else:
            made[name] = msgspec.convert("2026-11-22T02:00:00Z" if "datetime" in str(kind) else "x", kind)
    async with app.state.sessions.begin() as session:
        await send(session, [fact(**made)], app.state.clock())
        await send(session, [fact(**made)], app.state.clock())

    for locale in ("zh-CN", "en"):
        assert catalogue(locale).ugettext(f"fact.{fact.__name__}") != f"fact.{fact.__name__}"
    letters = POST[fact](fact(**made))
    assert letters
    for letter in letters:
        assert letter.url.startswith("/")
        assert letter.members or letter.roles or letter.organisation


async def test_every_message_can_be_read(app: Litestar, li: Client, zhou: Client, wu: Client, town: Town) -> None:
    """One of each, told for real, and every reader's page opens in both languages."""
    for fact in POST:
        await test_every_letter_has_its_sentence_in_both_languages(app, town, fact)

    for reader in (li, zhou, wu):
        for language in ("zh", "en"):
            page = await reader.get("/messages", headers=HTML | {"accept-language": language})
            assert page.status_code == 200
            assert "fact." not in page.text
            texts = [item["text"] for item in (await reader.get("/api/messages")).json()["items"]]
            assert texts
            assert not any("{" in text for text in texts)
