"""What the asker does, or staff for them: post, edit, withdraw, say that it is not done, say thank you."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from service import identity
from service.communities import setting
from service.facts import UrgentWishPosted, WishDisputed, WishPosted, WishWithdrawn
from service.kit import outbox
from service.kit.access import Actor
from service.kit.clock import local_day
from service.kit.ids import new_id
from service.kit.refusals import NotAllowed
from service.wishes import queries, rules
from service.wishes.actions.rewards import post_rewards, settle_reward
from service.wishes.actions.steps import days, off_the_wall, take_step, write_line
from service.wishes.classes import class_of
from service.wishes.kinds import Warmth, WishCategory, WishKind
from service.wishes.queries import who_of
from service.wishes.rules import Verb, WishState
from service.wishes.tables import Wish

CODE_LETTERS = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
CODE_LENGTH = 8


@dataclass(frozen=True, slots=True)
class Draft:
    """What a wish says, as it was typed."""

    kind: WishKind
    category: WishCategory
    title: str
    text: str
    preferred_time: str
    expected_minutes: int

    def check(self) -> None:
        """Refuse what is too short, too long or cannot be read."""
        rules.check_texts(self.title, self.text, self.preferred_time, self.expected_minutes)


async def post_wish(
    session: AsyncSession, *, actor: Actor, draft: Draft, now: datetime, asked_by: UUID | None = None
) -> Wish:
    """Ask for something, or write it down for somebody. An urgent wish is on the wall at once, seen later."""
    draft.check()
    asker_id = asked_by or actor.member_id
    acts_for = asker_id != actor.member_id
    if acts_for and not who_of(actor).is_staff:
        raise NotAllowed
    asker = await identity.person(session, actor.community_id, asker_id)
    if not asker.is_open:
        raise identity.PersonNotFound
    await _check_count(session, actor.community_id, asker_id, draft.kind, now)
    home = (await identity.particulars_by_ids(session, actor.community_id, [asker_id]))[asker_id].building
    is_urgent = draft.kind is WishKind.URGENT
    wish = Wish(
        community_id=actor.community_id,
        wish_id=new_id(),
        code="".join(secrets.choice(CODE_LETTERS) for _ in range(CODE_LENGTH)),
        kind=draft.kind,
        category=draft.category,
        state=WishState.APPROVED if is_urgent else WishState.POSTED,
        title=draft.title,
        text=draft.text,
        preferred_time=draft.preferred_time,
        expected_minutes=draft.expected_minutes,
        building=home,
        asked_by=asker_id,
        posted_by=actor.member_id,
        posted_at=now,
        changed_at=now,
        service_class=class_of(draft.category),
    )
    if is_urgent:
        wish.approved_at = now
        wish.approved_by = actor.member_id if acts_for else None
        wish.expires_at = now + timedelta(days=await days(session, actor.community_id, "wish_open_days", now))
    session.add(wish)
    # The history refers to the wish, and nothing but this flush says so to the mapper.
    await session.flush()
    write_line(session, wish, Verb.POST, before=None, actor=actor, now=now)
    fact = UrgentWishPosted if is_urgent else WishPosted
    outbox.record(session, fact(community_id=wish.community_id, wish_id=wish.wish_id, asked_by=asker_id), now=now)
    return wish


async def _check_count(session: AsyncSession, community_id: int, asker_id: UUID, kind: WishKind, now: datetime) -> None:
    """The asker is locked first: two phones posting at once are counted one after the other."""
    await identity.lock_people(session, community_id, [asker_id])
    limit = await setting(session, community_id, "wishes_open_per_member_max", local_day(now))
    open_wishes, urgent_open = await queries.open_counts(session, community_id, asker_id)
    rules.check_count(open_wishes, limit, kind, urgent_open)


async def edit_wish(
    session: AsyncSession, *, actor: Actor, wish_id: UUID, draft: Draft, now: datetime, revision: int | None = None
) -> Wish:
    """Say it in other words; it goes to staff again. An urgent wish that came back is looked at first this time."""
    draft.check()
    wish = await queries.lock_wish(session, actor.community_id, wish_id)
    rules.check_edit(wish, who_of(actor), revision)
    if wish.category != draft.category:
        wish.service_class = class_of(draft.category)
    wish.kind, wish.category = draft.kind, draft.category
    wish.title, wish.text = draft.title, draft.text
    wish.preferred_time, wish.expected_minutes = draft.preferred_time, draft.expected_minutes
    wish.reason = None
    off_the_wall(wish)
    take_step(session, wish, Verb.EDIT, after=WishState.POSTED, actor=actor, now=now)
    outbox.record(session, WishPosted(community_id=wish.community_id, wish_id=wish_id, asked_by=wish.asked_by), now=now)
    return wish


async def withdraw_wish(
    session: AsyncSession, *, actor: Actor, wish_id: UUID, now: datetime, revision: int | None = None, note: str = ""
) -> Wish:
    """No longer needed. Twice is the same as once."""
    rules.check_note("note", note, required=False)
    wish = await queries.lock_wish(session, actor.community_id, wish_id)
    if wish.state == WishState.WITHDRAWN and wish.asked_by == actor.member_id:
        return wish
    rules.check_move(Verb.WITHDRAW, wish, who_of(actor), revision)
    take_step(session, wish, Verb.WITHDRAW, after=WishState.WITHDRAWN, actor=actor, now=now, note=note)
    outbox.record(
        session,
        WishWithdrawn(
            community_id=wish.community_id, wish_id=wish_id, asked_by=wish.asked_by, volunteer_id=wish.volunteer_id
        ),
        now=now,
    )
    await post_rewards(session, actor.community_id, [settle_reward(wish, actor)], now)
    return wish


async def restore_wish(
    session: AsyncSession, *, actor: Actor, wish_id: UUID, now: datetime, revision: int | None = None
) -> Wish:
    """Take a withdrawal back, for a short time: the wish is where it was, with its volunteer and reward if it had them."""
    wish = await queries.lock_wish(session, actor.community_id, wish_id)
    rules.check_move(Verb.RESTORE, wish, who_of(actor), revision)
    rules.check_undo(wish.changed_at, now)
    await _check_count(session, actor.community_id, wish.asked_by, WishKind(wish.kind), now)
    last = (await queries.history(session, actor.community_id, wish_id))[-1]
    assert last.state_before is not None, "a withdrawal came from somewhere"
    take_step(session, wish, Verb.RESTORE, after=WishState(last.state_before), actor=actor, now=now)
    try:
        await post_rewards(session, actor.community_id, [settle_reward(wish, actor)], now)
    except rules.RewardBeyondBudget as gone:
        raise rules.RewardNotCovered from gone
    return wish


async def dispute_wish(
    session: AsyncSession, *, actor: Actor, wish_id: UUID, note: str, now: datetime, revision: int | None = None
) -> Wish:
    """Say that it is not done. The volunteer may finish it, give it back, and staff see it at once."""
    rules.check_note("note", note, required=True)
    wish = await queries.lock_wish(session, actor.community_id, wish_id)
    rules.check_move(Verb.DISPUTE, wish, who_of(actor), revision)
    assert wish.volunteer_id is not None, "ck_wish_taken"
    wish.reason = note
    take_step(session, wish, Verb.DISPUTE, after=WishState.DISPUTED, actor=actor, now=now, note=note)
    outbox.record(
        session,
        WishDisputed(
            community_id=wish.community_id, wish_id=wish_id, asked_by=wish.asked_by, volunteer_id=wish.volunteer_id
        ),
        now=now,
    )
    return wish


async def thank_volunteer(
    session: AsyncSession,
    *,
    actor: Actor,
    wish_id: UUID,
    warmth: Warmth | None,
    thanks: str,
    now: datetime,
    revision: int | None = None,
) -> Wish:
    """Say thank you after staff confirmed, or when there was no time before."""
    rules.check_note("thanks", thanks, required=warmth is None)
    wish = await queries.lock_wish(session, actor.community_id, wish_id)
    rules.check_move(Verb.THANK, wish, who_of(actor), revision)
    if wish.warmth is not None or wish.thanks:
        raise rules.ThankedAlready
    wish.warmth, wish.thanks = warmth, thanks or None
    take_step(session, wish, Verb.THANK, after=WishState.CONFIRMED, actor=actor, now=now)
    return wish
