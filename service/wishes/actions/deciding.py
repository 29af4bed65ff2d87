"""What staff decide: approve with a class and a reward, return with a reason, take a decision back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

import ledger
from service.communities import organisation, settings_on
from service.facts import WishApproved, WishReturned
from service.kit import outbox
from service.kit.access import Actor
from service.kit.clock import local_day
from service.kit.refusals import Invalid, Refusal
from service.records import ServiceClass
from service.wishes import queries, rules
from service.wishes.actions.rewards import post_rewards, settle_reward
from service.wishes.actions.steps import days, off_the_wall, take_step
from service.wishes.classes import CLASSES
from service.wishes.queries import who_of
from service.wishes.rules import BULK_MAX, Verb, WishState
from service.wishes.tables import Wish


@dataclass(frozen=True, slots=True)
class Terms:
    """What a wish is worth to its helper."""

    service_class: ServiceClass
    reward_points: int = 0
    reward_budget: UUID | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """What became of one of many."""

    wish_id: UUID
    revision: int
    refusal: Refusal | None


async def approve_wish(
    session: AsyncSession, *, actor: Actor, wish_id: UUID, terms: Terms, now: datetime, revision: int | None = None
) -> Wish:
    """Put a wish on the wall, with the class its minutes will count as and points on top if a sponsor gives some."""
    wish = await queries.lock_wish(session, actor.community_id, wish_id)
    rules.check_decision(Verb.APPROVE, wish, who_of(actor), revision)
    await _check_terms(session, wish, terms, now)
    term = timedelta(days=await days(session, actor.community_id, "wish_open_days", now))
    _agree(wish, terms)
    _put_on_the_wall(session, wish, actor, term, now)
    await post_rewards(session, actor.community_id, [settle_reward(wish, actor)], now)
    return wish


async def appraise_wish(
    session: AsyncSession, *, actor: Actor, wish_id: UUID, terms: Terms, now: datetime, revision: int | None = None
) -> Wish:
    """Change class or reward of a wish that is on its way; for an urgent one this says that staff have looked at it."""
    wish = await queries.lock_wish(session, actor.community_id, wish_id)
    rules.check_decision(Verb.APPRAISE, wish, who_of(actor), revision)
    if wish.volunteer_id == actor.member_id:
        raise rules.CannotConfirmOwnService
    await _check_terms(session, wish, terms, now)
    before = wish.reward_points, wish.reward_budget
    _agree(wish, terms)
    _look_at(session, wish, actor, now)
    await post_rewards(session, actor.community_id, [settle_reward(wish, actor, before=before)], now)
    return wish


async def return_wish(
    session: AsyncSession, *, actor: Actor, wish_id: UUID, reason: str, now: datetime, revision: int | None = None
) -> Wish:
    """Give a wish back to its asker with a reason, before it is on the wall or while nobody has taken it on."""
    rules.check_note("reason", reason, required=True)
    wish = await queries.lock_wish(session, actor.community_id, wish_id)
    rules.check_decision(Verb.RETURN, wish, who_of(actor), revision)
    term = timedelta(days=await days(session, actor.community_id, "wish_open_days", now))
    off_the_wall(wish)
    wish.reason = reason
    wish.reward_points, wish.reward_budget = 0, None
    # An asker who never comes back to it must not keep a place for ever.
    wish.expires_at = now + term
    take_step(session, wish, Verb.RETURN, after=WishState.RETURNED, actor=actor, now=now, note=reason)
    outbox.record(
        session, WishReturned(community_id=wish.community_id, wish_id=wish_id, asked_by=wish.asked_by), now=now
    )
    await post_rewards(session, actor.community_id, [settle_reward(wish, actor)], now)
    return wish


async def recall_wish(
    session: AsyncSession, *, actor: Actor, wish_id: UUID, now: datetime, revision: int | None = None
) -> Wish:
    """Undo an approval or a return that was a slip: the wish waits for staff again."""
    wish = await queries.lock_wish(session, actor.community_id, wish_id)
    await post_rewards(session, actor.community_id, [_recall(session, wish, actor, now, revision)], now)
    return wish


def _recall(
    session: AsyncSession, wish: Wish, actor: Actor, now: datetime, revision: int | None
) -> ledger.Journal | None:
    """Move it back; what lets go of its reward is returned to be posted."""
    rules.check_decision(Verb.RECALL, wish, who_of(actor), revision)
    rules.check_undo(wish.changed_at, now)
    off_the_wall(wish)
    wish.reason, wish.reward_points, wish.reward_budget = None, 0, None
    take_step(session, wish, Verb.RECALL, after=WishState.POSTED, actor=actor, now=now)
    return settle_reward(wish, actor)


async def approve_wishes(
    session: AsyncSession, *, actor: Actor, picked: Mapping[UUID, int | None], now: datetime
) -> Sequence[Decision]:
    """Approve many as what they usually are, without reward. One that changed meanwhile is left alone and said so."""
    _check_many(picked)
    term = timedelta(days=await days(session, actor.community_id, "wish_open_days", now))
    rows = await queries.lock_wishes(session, actor.community_id, picked)
    decisions: list[Decision] = []
    for wish_id, revision in picked.items():
        wish = rows.get(wish_id)
        try:
            if wish is None:
                raise rules.WishNotFound
            if queries.to_view(wish).is_unseen:
                rules.check_decision(Verb.APPRAISE, wish, who_of(actor), revision)
                _look_at(session, wish, actor, now)
            else:
                rules.check_decision(Verb.APPROVE, wish, who_of(actor), revision)
                _put_on_the_wall(session, wish, actor, term, now)
        except Refusal as refusal:
            decisions.append(Decision(wish_id, wish.revision if wish is not None else 0, refusal))
        else:
            decisions.append(Decision(wish_id, wish.revision, None))
    return decisions


async def recall_wishes(
    session: AsyncSession, *, actor: Actor, picked: Mapping[UUID, int | None], now: datetime
) -> Sequence[Decision]:
    """Undo many approvals at once; what somebody has taken on meanwhile stays."""
    _check_many(picked)
    rows = await queries.lock_wishes(session, actor.community_id, picked)
    decisions: list[Decision] = []
    freed: list[ledger.Journal | None] = []
    for wish_id, revision in picked.items():
        wish = rows.get(wish_id)
        try:
            if wish is None:
                raise rules.WishNotFound
            freed.append(_recall(session, wish, actor, now, revision))
        except Refusal as refusal:
            decisions.append(Decision(wish_id, wish.revision if wish is not None else 0, refusal))
        else:
            decisions.append(Decision(wish_id, wish.revision, None))
    await post_rewards(session, actor.community_id, freed, now)
    return decisions


def _check_many(picked: Mapping[UUID, int | None]) -> None:
    if not picked:
        raise Invalid({"ids": "required"})
    if len(picked) > BULK_MAX:
        raise Invalid({"ids": "too_long"})


def _put_on_the_wall(session: AsyncSession, wish: Wish, actor: Actor, term: timedelta, now: datetime) -> None:
    wish.approved_at, wish.approved_by, wish.expires_at, wish.reason = now, actor.member_id, now + term, None
    take_step(session, wish, Verb.APPROVE, after=WishState.APPROVED, actor=actor, now=now)
    outbox.record(
        session, WishApproved(community_id=wish.community_id, wish_id=wish.wish_id, asked_by=wish.asked_by), now=now
    )


def _look_at(session: AsyncSession, wish: Wish, actor: Actor, now: datetime) -> None:
    """Terms change, the wish stays where it is, and so does the moment from which it waits."""
    waits_since = wish.changed_at
    wish.approved_by = wish.approved_by or actor.member_id
    take_step(session, wish, Verb.APPRAISE, after=WishState(wish.state), actor=actor, now=now)
    wish.changed_at = waits_since


async def _check_terms(session: AsyncSession, wish: Wish, terms: Terms, now: datetime) -> None:
    """Bound the reward by the setting, and name a budget of this community; whether it suffices the hold will say."""
    if terms.service_class not in CLASSES:
        raise Invalid({"service_class": "choice"})
    limits = await settings_on(session, wish.community_id, ["wish_reward_points_max"], local_day(now))
    rules.check_reward(terms.reward_points, terms.reward_budget is not None, limits["wish_reward_points_max"])
    if terms.reward_points and terms.reward_budget is not None:
        await organisation(session, wish.community_id, terms.reward_budget)


def _agree(wish: Wish, terms: Terms) -> None:
    wish.service_class = terms.service_class
    wish.reward_points = terms.reward_points
    wish.reward_budget = terms.reward_budget if terms.reward_points else None
