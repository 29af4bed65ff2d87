"""What every step has in common: the new state, a line of history, a line of audit."""

from collections.abc import Callable, Mapping
from datetime import datetime
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from service import facts
from service.kit import audit, outbox
from service.kit.access import Actor
from service.kit.outbox import Fact
from service.repairs.rules import NotYourJob, RepairState, Step, Warranty
from service.repairs.tables import RepairLine, RepairOrder

TO_ASKER: Mapping[Step, Callable[..., Fact]] = {
    Step.TAKE: facts.RepairTaken,
    Step.QUOTE: facts.RepairQuoted,
    Step.GO: facts.RepairOnWay,
    Step.FINISH: facts.RepairDone,
    Step.CHANGE: facts.RepairPriceChanged,
    Step.ACCEPT: facts.RepairAccepted,
    Step.REPORT: facts.RepairReported,
    Step.DECLINE: facts.RepairDeclined,
    Step.CLAIM: facts.RepairClaimed,
    Step.GIVE_BACK: facts.RepairDecided,
    Step.REFUSE_CLAIM: facts.RepairDecided,
}
"""What a step tells of the resident's order; notifications knows which of these are for the office."""
TO_REPAIRER: Mapping[Step, Callable[..., Fact]] = {
    Step.ASSIGN: facts.RepairAssigned,
    Step.AGREE: facts.RepairAgreed,
    Step.ANSWER: facts.RepairPriceAnswered,
    Step.CANCEL: facts.RepairCancelled,
}


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
    change_id: UUID | None = None,
) -> None:
    """Move a locked order on and write down who did it for whom. Free text stays in the history, out of the audit."""
    order.state = after or order.state
    order.revision, order.changed_at = order.revision + 1, now
    add_line(session, order, step, actor=actor, now=now, on_behalf_of=on_behalf_of, note=note, change_id=change_id)


def add_line(
    session: AsyncSession,
    order: RepairOrder,
    step: Step,
    *,
    actor: Actor | None,
    now: datetime,
    on_behalf_of: UUID | None = None,
    note: str | None = None,
    change_id: UUID | None = None,
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
            change_id=change_id,
        )
    )
    _tell(session, order, step, now)
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


def _tell(session: AsyncSession, order: RepairOrder, step: Step, now: datetime) -> None:
    told, member_id = TO_ASKER.get(step), order.asked_by
    if step is Step.ACCEPT and order.warranty == Warranty.HELD:
        told = facts.RepairUnderWarranty
    if told is None and order.repairer_id is not None:
        told, member_id = TO_REPAIRER.get(step), order.repairer_id
    if told is not None:
        fact = told(
            community_id=order.community_id, order_id=order.order_id, member_id=member_id, revision=order.revision
        )
        outbox.record(session, fact, now=now)


def check_repairer(order: RepairOrder, actor: Actor) -> None:
    """Only whom the job was given to."""
    if order.repairer_id != actor.member_id:
        raise NotYourJob
