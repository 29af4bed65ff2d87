"""The wall, one's own lists, the staff's views, paper, and what shows up elsewhere."""

from uuid import UUID

import pytest
import sqlalchemy as sa
from litestar import Litestar

from service.kit.ids import new_id
from service.wishes.pages import cards
from tests.cast import HERE, START, Client, Town, client_of
from tests.wishes.acts import approved, claimed, counted, posted, seen, served

LISTS = [
    ("chen", "/wishes"),
    ("chen", "/api/wishes"),
    ("chen", "/wishes/claimed"),
    ("chen", "/api/wishes/claimed"),
    ("li", "/wishes/mine"),
    ("li", "/api/wishes/mine"),
    ("wu", "/desk/wishes?view=all"),
    ("wu", "/api/wishes/all?view=all"),
    ("wu", "/desk/wishes/print"),
    ("li", "/home"),
    ("chen", "/home"),
]


async def fill(app: Litestar, town: Town, *, number: int) -> None:
    """So many wishes of Li, half of them taken on by Chen, straight into the table."""
    async with app.state.sessions.begin() as session:
        for index in range(number):
            taken = index % 2 == 0
            await session.execute(
                sa.text(
                    "INSERT INTO wish (community_id, wish_id, code, kind, category, state, revision, title, text,"
                    " preferred_time, expected_minutes, asked_by, posted_by, posted_at, changed_at, approved_at,"
                    " approved_by, service_class, reward_points, volunteer_id, claimed_at, claim_due_at)"
                    " VALUES (:here, :id, :code, 'time', 'chores', :state, 3, '搬东西', '搬一个柜子', '', 60, :li, :li,"
                    " :at, :at, :at, :wu, 'general', 0, :chen, :at, :at)"
                ),
                {
                    "here": HERE,
                    "id": new_id(),
                    "code": f"C{index:07}",
                    "state": "claimed" if taken else "approved",
                    "li": town.actors["li"].member_id,
                    "wu": town.actors["wu"].member_id,
                    "chen": town.actors["chen"].member_id if taken else None,
                    "at": START,
                },
            )


@pytest.mark.parametrize(("name", "path"), LISTS)
async def test_a_list_costs_the_same_for_two_rows_and_for_fifty(
    app: Litestar, town: Town, name: str, path: str
) -> None:
    client = client_of(app, town.cookies[name], town.actors[name])
    await fill(app, town, number=2)
    with counted(app) as few:
        assert (await client.get(path)).status_code == 200
    async with app.state.sessions.begin() as session:
        await session.execute(sa.text("UPDATE wish SET code = 'X' || code"))
    await fill(app, town, number=50)
    with counted(app) as many:
        assert (await client.get(path)).status_code == 200

    assert len(many) == len(few)


async def test_urgent_stands_first_then_the_newest(li: Client, granny: Client, chen: Client, wu: Client, clock) -> None:
    old = await approved(li, wu)
    clock.move(minutes=1)
    urgent = await posted(granny, kind="urgent")
    clock.move(minutes=1)
    new = await approved(li, wu, title="取个药")

    shown = [item["wish_id"] for item in (await chen.get("/api/wishes")).json()["items"]]

    assert shown == [urgent, new, old]


async def test_the_wall_is_searched_and_narrowed(li: Client, granny: Client, chen: Client, wu: Client) -> None:
    bulb = await approved(li, wu)
    walk = await approved(granny, wu, category="company", title="陪我散步", text="每天下午走一走")

    async def shown(query: str) -> list[str]:
        return [item["wish_id"] for item in (await chen.get(f"/api/wishes?{query}")).json()["items"]]

    assert await shown("q=散步") == [walk]
    assert await shown("category=repairs") == [bulb]
    assert await shown("q=" + (await seen(chen, walk))["code"].lower()) == [walk]
    assert await shown("q=%25") == []
    assert "没有找到这样的心愿" in (await chen.get("/wishes?q=没有")).text
    assert "陪我散步" in (await chen.get("/wishes?category=company")).text


async def test_an_empty_wall_says_what_to_do(chen: Client) -> None:
    page = (await chen.get("/wishes")).text

    assert "墙上现在没有心愿" in page
    assert "您还没有接心愿" in (await chen.get("/wishes/claimed")).text
    assert "您还没有许过心愿" in (await chen.get("/wishes/mine")).text


async def test_the_wall_turns_its_pages(app: Litestar, town: Town, sun: Client) -> None:
    await fill(app, town, number=90)
    found: list[str] = []
    after: str | None = None
    while True:
        answer = (await sun.get("/api/wishes", params={"after": after} if after else {})).json()
        found += [item["wish_id"] for item in answer["items"]]
        after = answer["next"]
        if after is None:
            break

    assert len(found) == len(set(found)) == 45
    page = await sun.get("/wishes")
    assert 'rel="next"' in page.text


@pytest.mark.parametrize("cursor", ["x", "WzEsMl0", "WzEsIngiLCJ5Il0"])
async def test_a_cursor_that_is_not_ours_is_refused(chen: Client, cursor: str) -> None:
    answer = await chen.get("/api/wishes", params={"after": cursor})

    assert answer.status_code == 422


async def test_the_desk_counts_and_finds_by_person(li: Client, granny: Client, chen: Client, wu: Client, clock) -> None:
    waiting = await posted(granny)
    await claimed(li, wu, chen)
    await served(li, wu, chen, clock)
    await approved(li, wu)

    counts = (await wu.get("/api/wishes/counts")).json()
    assert counts == {"waiting": 1, "wall": 1, "taken": 1, "served": 1, "all": 4}
    page = (await wu.get("/desk/wishes")).text
    assert "待审核&nbsp;1" in page
    assert "机器没看出问题" in page
    by_card = (await wu.get(f"/api/wishes/all?view=all&q={granny.actor.card_no}")).json()["items"]
    assert [item["wish_id"] for item in by_card] == [waiting]


async def test_the_desk_shows_longest_waiting_first_and_urgent_before(
    li: Client, granny: Client, wu: Client, clock
) -> None:
    first = await posted(li)
    clock.move(minutes=1)
    second = await posted(li)
    clock.move(minutes=1)
    urgent = await posted(granny, kind="urgent")

    shown = (await wu.get("/api/wishes/all?view=waiting")).json()["items"]

    assert [item["wish_id"] for item in shown] == [urgent, first, second]


async def test_the_printed_wall_is_masked_for_staff_too(li: Client, wu: Client) -> None:
    wish = await approved(li, wu)

    page = (await wu.get("/desk/wishes/print")).text

    code = (await seen(wu, wish))["code"]
    assert f"{code[:4]} {code[4:]}" in page
    assert "李**" in page
    assert "李心愿" not in page


async def test_home_shows_my_wish_with_its_steps_and_what_i_promised(
    li: Client, chen: Client, wu: Client, clock
) -> None:
    await claimed(li, wu, chen)

    mine = (await li.get("/home")).text
    assert "我的心愿" in mine
    assert 'aria-current="step"' in mine
    helping = (await chen.get("/home")).text
    assert "我接的心愿" in helping
    assert "11 月 29 日" in helping


async def test_the_inbox_holds_what_only_staff_can_move(
    li: Client, granny: Client, sun: Client, chen: Client, wu: Client, he: Client, clock, app: Litestar
) -> None:
    await posted(li)
    await posted(sun, kind="urgent")
    disputed = await served(granny, wu, chen, clock)
    await granny.post(f"/api/wishes/{disputed}/dispute", json={"note": "还没好"})
    clock.move(hours=2)
    await served(granny, wu, chen, clock)

    async def kinds() -> list[tuple[str, bool]]:
        async with app.state.sessions.begin() as session:
            found = await cards.inbox(session, wu.actor, clock.now)
            assert await cards.inbox(session, he.actor, clock.now) == []
            return sorted((row.kind, row.is_urgent) for row in found)

    now_open = [("wish_disputed", True), ("wish_posted", False), ("wish_urgent", True)]
    assert await kinds() == now_open
    clock.move(days=7)
    assert await kinds() == sorted([*now_open, ("wish_unconfirmed", True)])


@pytest.mark.parametrize("locale", ["zh-CN", "en"])
async def test_every_page_speaks_both_languages(
    li: Client, chen: Client, wu: Client, granny: Client, clock, locale: str
) -> None:
    states = {
        "posted": await posted(li),
        "returned": await posted(li),
        "approved": await approved(granny, wu, kind="goods", category="things"),
        "claimed": await claimed(granny, wu, chen),
        "served": await served(granny, wu, chen, clock),
        "urgent": await posted(granny, kind="urgent"),
    }
    await wu.post(f"/api/wishes/{states['returned']}/return", json={"note": "please say more"})
    for client in (li, chen, wu, granny):
        client.cookies.set("locale", locale)
    paths = [(li, "/wishes"), (li, "/wishes/mine"), (li, "/wishes/new"), (chen, "/wishes/claimed"), (chen, "/home")]
    paths += [(wu, f"/desk/wishes?view={view}") for view in ("waiting", "wall", "taken", "served", "all")]
    paths += [(wu, f"/desk/wishes/{wish}") for wish in states.values()]
    paths += [(li, f"/wishes/{states[state]}") for state in ("posted", "returned")]
    paths += [(granny, f"/wishes/{states[state]}") for state in ("approved", "claimed", "served", "urgent")]
    paths += [(chen, f"/wishes/{states[state]}") for state in ("approved", "claimed", "served", "urgent")]
    paths += [(chen, f"/wishes/{states['claimed']}/serve"), (granny, f"/wishes/{states['served']}/confirm")]
    paths += [(li, f"/wishes/{states['returned']}/edit"), (wu, "/desk/wishes/new"), (wu, "/desk/wishes/print")]

    for client, path in paths:
        answer = await client.get(path)
        assert answer.status_code == 200, path
        assert f'lang="{locale}"' in answer.text, path
        for coded in ("wish.kind.", "wish.category.", "wish.event.", "state.wish.", "wish.view.", "wish.warmth."):
            assert coded not in answer.text, path


async def test_an_unknown_wish_is_missing_everywhere(li: Client, wu: Client) -> None:
    unknown = UUID("01a20157-9b8e-749e-9aea-aab5b77babf8")

    for client, path in (
        (li, f"/wishes/{unknown}"),
        (li, f"/wishes/{unknown}/edit"),
        (li, f"/api/wishes/{unknown}/history"),
        (wu, f"/desk/wishes/{unknown}"),
        (wu, f"/desk/wishes?open_wish={unknown}"),
    ):
        assert (await client.get(path)).status_code == 404, path
