"""What every step has in common: the new state, a line of history, a line of audit."""

from datetime import datetime
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from service.kit import audit
from service.kit.access import Actor
from service.repairs.rules import NotYourJob, RepairState, Step
from service.repairs.tables import RepairLine, RepairOrder


def write(
    session: AsyncSession,
    order: RepairOrder,
    step: Step,
    *,
    after: RepairState | None = None,
    actor: Actor | None,
    now: datetime,
    on_behalf_of: UUID | None = None,
    note: str | None = None,
) -> None:
    """Move a locked order on and write down who did it for whom. Free text stays in the history, out of the audit."""
    order.state = after or order.state
    order.revision, order.changed_at = order.revision + 1, now
    add_line(session, order, step, actor=actor, now=now, on_behalf_of=on_behalf_of, note=note)


def add_line(
    session: AsyncSession,
    order: RepairOrder,
    step: Step,
    *,
    actor: Actor | None,
    now: datetime,
    on_behalf_of: UUID | None = None,
    note: str | None = None,
) -> None:
    """The line for the revision that the order has now."""
    session.add(
        RepairLine(
            community_id=order.community_id,
            order_id=order.order_id,
            revision=order.revision,
            step=step,
            state_after=order.state,
            at=now,
            actor_id=actor.member_id if actor else None,
            on_behalf_of=on_behalf_of,
            note=note or None,
        )
    )
    audit.record(
        session,
        actor,
        "repairs.stepped",
        kind="repair",
        id=order.order_id,
        now=now,
        community_id=order.community_id,
        on_behalf_of=on_behalf_of,
        detail={"step": step.value, "after": str(order.state)},
    )


def check_repairer(order: RepairOrder, actor: Actor) -> None:
    """Only whom the job was given to."""
    if order.repairer_id != actor.member_id:
        raise NotYourJob
