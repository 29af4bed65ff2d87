"""What every step has in common: the new state, a line of history, a line of audit."""

from datetime import datetime
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from service.communities import settings_on
from service.kit import audit
from service.kit.access import Actor
from service.kit.clock import local_day
from service.wishes.rules import Verb, WishState
from service.wishes.tables import Wish, WishEvent

TOLD_AS = {
    Verb.POST: "wishes.posted",
    Verb.EDIT: "wishes.edited",
    Verb.APPROVE: "wishes.approved",
    Verb.RETURN: "wishes.returned",
    Verb.RECALL: "wishes.recalled",
    Verb.APPRAISE: "wishes.appraised",
    Verb.CLAIM: "wishes.claimed",
    Verb.RELEASE: "wishes.released",
    Verb.SERVE: "wishes.served",
    Verb.DISPUTE: "wishes.disputed",
    Verb.CONFIRM: "wishes.confirmed",
    Verb.THANK: "wishes.thanked",
    Verb.WITHDRAW: "wishes.withdrawn",
    Verb.RESTORE: "wishes.restored",
    Verb.EXPIRE: "wishes.expired",
}
"""The audit's word for every verb."""

FOR_THE_ASKER = frozenset({Verb.POST, Verb.EDIT, Verb.DISPUTE, Verb.CONFIRM, Verb.THANK, Verb.WITHDRAW, Verb.RESTORE})
"""What only the asker decides; when somebody else does it, it is done on their behalf, with both names."""


def take_step(
    session: AsyncSession,
    wish: Wish,
    verb: Verb,
    *,
    after: WishState,
    actor: Actor | None,
    now: datetime,
    note: str | None = None,
    volunteer_id: UUID | None = None,
) -> None:
    """Move a locked wish on and write down who did it for whom. Free text stays in the history, out of the audit."""
    before = wish.state
    wish.state, wish.revision, wish.changed_at = after, wish.revision + 1, now
    write_line(session, wish, verb, before=before, actor=actor, now=now, note=note, volunteer_id=volunteer_id)


def write_line(
    session: AsyncSession,
    wish: Wish,
    verb: Verb,
    *,
    before: str | None,
    actor: Actor | None,
    now: datetime,
    note: str | None = None,
    volunteer_id: UUID | None = None,
) -> None:
    """The history's line for the revision the wish has now, and the audit's."""
    acts_for = actor is not None and verb in FOR_THE_ASKER and actor.member_id != wish.asked_by
    behalf = wish.asked_by if acts_for else None
    session.add(
        WishEvent(
            community_id=wish.community_id,
            wish_id=wish.wish_id,
            revision=wish.revision,
            verb=verb,
            state_before=before,
            state_after=wish.state,
            at=now,
            actor_id=actor.member_id if actor is not None else None,
            on_behalf_of=behalf,
            volunteer_id=volunteer_id or wish.volunteer_id,
            note=note or None,
        )
    )
    audit.record(
        session,
        actor,
        TOLD_AS[verb],
        kind="wish",
        id=wish.wish_id,
        now=now,
        community_id=wish.community_id,
        on_behalf_of=behalf,
        detail={"before": before, "after": str(wish.state), "revision": wish.revision},
    )


async def days(session: AsyncSession, community_id: int, name: str, now: datetime) -> int:
    """What one of the wishes' terms is today."""
    return (await settings_on(session, community_id, [name], local_day(now)))[name]


def off_the_wall(wish: Wish) -> None:
    """Nothing of an approval is left."""
    wish.approved_at, wish.approved_by, wish.expires_at = None, None, None


def without_helper(wish: Wish) -> None:
    """Nothing of a claim is left but its line in the history."""
    wish.volunteer_id, wish.claimed_at, wish.claim_due_at = None, None, None
    wish.served_from_at, wish.served_minutes, wish.served_note, wish.served_at = None, None, None, None
    wish.confirm_due_at, wish.reminded_at = None, None
