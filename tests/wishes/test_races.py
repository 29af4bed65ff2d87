"""Two at once. Each race comes with a control that shows it is real: the same acts without the lock."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import pytest
from litestar import Litestar
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from service import identity
from service.communities import change_setting
from service.kit.access import Actor
from service.kit.clock import local_day
from service.kit.db import broken_constraint
from service.kit.refusals import Refusal
from service.records import ServiceClass
from service.wishes import actions, queries, rules
from service.wishes.actions import Draft, Terms
from service.wishes.kinds import WishCategory, WishKind
from service.wishes.tables import Wish
from tests.cast import START, Client
from tests.wishes.acts import approved, claimed, clean_books, has, rows, seen, served

Act = Callable[[AsyncSession], Awaitable[object]]


async def together(app: Litestar, *acts: Act) -> list[object]:
    """Run acts in transactions of their own that all begin before any ends; answers are results or exceptions."""
    ready = asyncio.Barrier(len(acts))

    async def run(act: Act) -> object:
        async with app.state.sessions.begin() as session:
            await session.connection()
            await ready.wait()
            return await act(session)

    return list(await asyncio.gather(*(run(act) for act in acts), return_exceptions=True))


def claim(actor: Actor, wish: str) -> Act:
    return lambda session: actions.claim_wish(session, actor=actor, wish_id=UUID(wish), now=START)


def refusals(answers: list[object]) -> list[type]:
    return [type(answer) for answer in answers if isinstance(answer, Refusal)]


@pytest.fixture
def without_the_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows are read as anybody may read them, and both readers have read before either writes."""
    both_read = asyncio.Barrier(2)

    async def read(session: AsyncSession, community_id: int, wish_id: UUID) -> Wish:
        found = await session.exec(
            select(Wish).where(col(Wish.community_id) == community_id, col(Wish.wish_id) == wish_id)
        )
        await both_read.wait()
        return found.one()

    monkeypatch.setattr(queries, "lock_wish", read)


async def test_without_the_lock_both_volunteers_are_let_through_to_the_last_wall(
    li: Client, wu: Client, chen: Client, sun: Client, app: Litestar, without_the_lock: None
) -> None:
    wish = await approved_before_the_fixture(li, wu, app)

    answers = await together(app, claim(chen.actor, wish), claim(sun.actor, wish))

    # The rules said yes to both; only the key of the history, a line for each revision, kept the second out.
    assert refusals(answers) == []
    (broken,) = [answer for answer in answers if isinstance(answer, IntegrityError)]
    assert broken_constraint(broken) == "pk_wish_event"


async def approved_before_the_fixture(li: Client, wu: Client, app: Litestar) -> str:
    """A wish on the wall, made by an act that the missing lock does not concern."""
    async with app.state.sessions.begin() as session:
        made = await actions.post_wish(session, actor=li.actor, draft=draft(WishKind.URGENT), now=START)
        return str(made.wish_id)


@pytest.mark.parametrize("attempt", range(5))
async def test_one_volunteer_gets_it_and_the_other_is_told(
    li: Client, wu: Client, chen: Client, sun: Client, app: Litestar, attempt: int
) -> None:
    wish = await approved(li, wu)

    answers = await together(app, claim(chen.actor, wish), claim(sun.actor, wish))

    assert refusals(answers) == [rules.WishAlreadyClaimed]
    assert await rows(app.state.sessions, "SELECT count(*) FROM wish_event WHERE verb = 'claim'") == [(1,)]


async def test_claim_and_withdrawal_never_both_hold(li: Client, wu: Client, chen: Client, app: Litestar) -> None:
    wish = await approved(li, wu)

    answers = await together(
        app,
        claim(chen.actor, wish),
        lambda session: actions.withdraw_wish(session, actor=li.actor, wish_id=UUID(wish), now=START, revision=2),
    )

    found = await seen(li, wish)
    if refusals(answers) == [rules.ChangedMeanwhile]:
        assert found["state"] == "claimed"
    else:
        assert refusals(answers) == [rules.WishOffTheWall]
        assert found["state"] == "withdrawn"


async def test_confirming_from_two_phones_pays_once(li: Client, wu: Client, chen: Client, clock, app: Litestar) -> None:
    wish = await served(li, wu, chen, clock)

    def confirm(session: AsyncSession) -> Awaitable[object]:
        return actions.confirm_wish(session, actor=li.actor, wish_id=UUID(wish), now=clock.now)

    answers = await together(app, confirm, confirm, confirm)

    assert [answer for answer in answers if isinstance(answer, BaseException)] == []
    assert await has(app.state.sessions, chen.actor.member_id) == (60, 100)
    assert await rows(app.state.sessions, "SELECT count(*) FROM service_record") == [(1,)]
    assert await clean_books(app.state.sessions)


async def test_without_the_lock_two_confirmations_meet_at_the_last_wall(
    li: Client, wu: Client, chen: Client, clock, app: Litestar, monkeypatch: pytest.MonkeyPatch
) -> None:
    wish = await served(li, wu, chen, clock)
    both_read = asyncio.Barrier(2)

    async def read(session: AsyncSession, community_id: int, wish_id: UUID) -> Wish:
        found = await session.get_one(Wish, (community_id, wish_id))
        await both_read.wait()
        return found

    monkeypatch.setattr(queries, "lock_wish", read)

    def confirm(session: AsyncSession) -> Awaitable[object]:
        return actions.confirm_wish(session, actor=li.actor, wish_id=UUID(wish), now=clock.now)

    answers = await together(app, confirm, confirm)

    (broken,) = [answer for answer in answers if isinstance(answer, BaseException)]
    assert isinstance(broken, IntegrityError)
    assert await has(app.state.sessions, chen.actor.member_id) == (60, 100)


def draft(kind: WishKind = WishKind.TIME) -> Draft:
    return Draft(kind, WishCategory.ERRANDS, "取个药", "到药房取个药", "", 30)


def post(actor: Actor) -> Act:
    return lambda session: actions.post_wish(session, actor=actor, draft=draft(), now=START)


async def test_the_limit_holds_when_two_phones_post_at_once(li: Client, app: Litestar) -> None:
    for _ in range(4):
        await together(app, post(li.actor))

    answers = await together(app, post(li.actor), post(li.actor), post(li.actor))

    assert refusals(answers) == [rules.TooManyOpenWishes] * 2
    assert await rows(app.state.sessions, "SELECT count(*) FROM wish") == [(5,)]


async def test_without_locking_the_asker_the_limit_would_be_passed(
    li: Client, app: Litestar, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(4):
        await together(app, post(li.actor))
    both_counted = asyncio.Barrier(2)
    count = queries.open_counts

    async def unlocked(*_: Any) -> dict[UUID, object]:
        return {}

    async def counted_together(session: AsyncSession, community_id: int, member_id: UUID) -> tuple[int, int]:
        found = await count(session, community_id, member_id)
        await both_counted.wait()
        return found

    monkeypatch.setattr(identity, "lock_people", unlocked)
    monkeypatch.setattr(queries, "open_counts", counted_together)

    answers = await together(app, post(li.actor), post(li.actor))

    assert refusals(answers) == []
    assert await rows(app.state.sessions, "SELECT count(*) FROM wish") == [(6,)]


async def test_release_by_time_and_by_hand_happen_once(
    li: Client, wu: Client, chen: Client, clock, app: Litestar
) -> None:
    wish = await claimed(li, wu, chen)
    clock.move(days=8)

    answers = await together(
        app,
        lambda session: actions.release_overdue_claims(session, clock.now),
        lambda session: actions.release_wish(session, actor=chen.actor, wish_id=UUID(wish), now=clock.now),
    )

    assert all(not isinstance(answer, BaseException) or isinstance(answer, Refusal) for answer in answers)
    assert await rows(app.state.sessions, "SELECT count(*) FROM wish_event WHERE verb = 'release'") == [(1,)]


async def test_two_approvals_do_not_promise_the_same_points(
    li: Client, chen: Client, wu: Client, zheng: Client, app: Litestar, town
) -> None:
    async with app.state.sessions.begin() as session:
        await change_setting(
            session,
            actor=zheng.actor,
            name="wish_reward_points_max",
            value=10_000,
            effective_from=local_day(START),
            now=START,
        )
    wishes = []
    for client in (li, chen):
        async with app.state.sessions.begin() as session:
            made = await actions.post_wish(session, actor=client.actor, draft=draft(), now=START)
            wishes.append(made.wish_id)
    terms = Terms(ServiceClass.GENERAL, 6_000, town.organisations["sponsor"])

    def approve(wish_id: UUID) -> Act:
        return lambda session: actions.approve_wish(session, actor=wu.actor, wish_id=wish_id, terms=terms, now=START)

    answers = await together(app, *(approve(wish_id) for wish_id in wishes))

    assert refusals(answers) == [rules.RewardBeyondBudget]


async def test_the_history_cannot_be_changed(li: Client, wu: Client, app: Litestar) -> None:
    await approved(li, wu)

    for statement in ("UPDATE wish_event SET note = 'x'", "DELETE FROM wish_event", "DELETE FROM wish"):
        with pytest.raises(Exception, match="permission denied"):
            await rows(app.state.sessions, statement)
