"""Writing classes and entitlements down, with two people, and ending them; each look is a line too."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.exc import IntegrityError
from sqlmodel.ext.asyncio.session import AsyncSession

from service.communities import OrganisationKind, organisation
from service.households import queries
from service.households.queries import ClassView
from service.households.rules import (
    ClassDecided,
    ClassState,
    ClassWaitsOrHolds,
    EntitlementNotFound,
    EntitlementWrong,
    HouseholdKind,
    MemberUnknown,
    NoTeam,
    OwnHousehold,
    check_consent,
    check_priced,
    check_second,
)
from service.households.tables import Entitlement, HouseholdClass
from service.identity import members_by_card, normal_card, person
from service.kit import audit
from service.kit.access import Actor
from service.kit.clock import local_day
from service.kit.db import broken_constraint, keyring
from service.kit.ids import new_id

_BLIND = "household_class"


async def household_of_card(session: AsyncSession, *, actor: Actor, card_no: str) -> UUID:
    """The household of whoever has this card; refused for the actor's own."""
    card = normal_card(card_no) or ""
    found = (await members_by_card(session, actor.community_id, [card])).get(card)
    if found is None:
        raise MemberUnknown
    household_id = (await person(session, actor.community_id, found.member_id)).household_id
    if household_id is None:
        raise MemberUnknown
    _check_not_own(actor, household_id)
    return household_id


async def look(session: AsyncSession, *, actor: Actor, household_id: UUID, now: datetime) -> Sequence[ClassView]:
    """A household's classes, opened. The look is written down, whether there are any or not."""
    _check_not_own(actor, household_id)
    audit.record(session, actor, "households.classes_seen", kind="household", id=household_id, now=now)
    return await queries.classes_of(session, actor.community_id, household_id)


async def propose_class(
    session: AsyncSession,
    *,
    actor: Actor,
    household_id: UUID,
    kind: HouseholdKind,
    basis: str,
    is_consented: bool,
    now: datetime,
) -> UUID:
    """Write down that a household is in a class, on what basis; a second person agrees or refuses."""
    _check_not_own(actor, household_id)
    check_consent(kind, is_consented=is_consented)
    class_id, keys = new_id(), keyring(session)
    said = json.dumps({"kind": kind.value, "basis": basis}, ensure_ascii=False)
    row = HouseholdClass(
        community_id=actor.community_id,
        class_id=class_id,
        household_id=household_id,
        sealed=keys.seal(said, queries.place_of(actor.community_id, class_id)),
        kind_index=keys.blind(_BLIND, f"{actor.community_id}:{household_id.hex}:{kind.value}"),
        is_consented=is_consented,
        state=ClassState.PROPOSED,
        proposed_by=actor.member_id,
        proposed_at=now,
    )
    session.add(row)
    _record(session, actor, "households.class_proposed", row, now)
    try:
        await session.flush()
    except IntegrityError as error:
        if broken_constraint(error) == "uq_household_class_held":
            raise ClassWaitsOrHolds from error
        raise
    return class_id


async def decide_class(session: AsyncSession, *, actor: Actor, class_id: UUID, is_agreed: bool, now: datetime) -> None:
    """Agree, as somebody else than proposed it: it holds from tomorrow. Or refuse, which its proposer may too."""
    row = await queries.lock_class(session, actor.community_id, class_id)
    _check_not_own(actor, row.household_id)
    if row.state != ClassState.PROPOSED:
        raise ClassDecided
    if is_agreed:
        check_second(proposed_by=row.proposed_by, decided_by=actor.member_id)
        row.effective_from = local_day(now) + timedelta(days=1)
    row.state = ClassState.AGREED if is_agreed else ClassState.REFUSED
    row.decided_by, row.decided_at = actor.member_id, now
    _record(session, actor, "households.class_agreed" if is_agreed else "households.class_refused", row, now)


async def end_class(session: AsyncSession, *, actor: Actor, class_id: UUID, now: datetime) -> None:
    """From tomorrow on the household is not in the class; the line stays. What was ordered keeps its price."""
    row = await queries.lock_class(session, actor.community_id, class_id)
    _check_not_own(actor, row.household_id)
    if row.state != ClassState.AGREED or row.effective_until is not None:
        raise ClassDecided
    assert row.effective_from is not None, "ck_household_class_effective_from"
    row.effective_until = max(local_day(now), row.effective_from) + timedelta(days=1)
    row.ended_by, row.ended_at = actor.member_id, now
    _record(session, actor, "households.class_ended", row, now)


async def set_entitlement(
    session: AsyncSession,
    *,
    actor: Actor,
    kind: HouseholdKind,
    organisation_id: UUID | None,
    percent: int | None,
    word: str | None,
    now: datetime,
) -> UUID:
    """Say what a class entitles to, from tomorrow on."""
    check_priced(kind)
    if (percent is None) != (organisation_id is None) or (percent is None) == (word is None):
        raise EntitlementWrong({"percent": "required"})
    if organisation_id is not None:
        team = await organisation(session, actor.community_id, organisation_id)
        if team.kind is not OrganisationKind.REPAIR_TEAM or not team.is_open:
            raise NoTeam({"team": "choice"})
    row = Entitlement(
        community_id=actor.community_id,
        entitlement_id=new_id(),
        kind=kind,
        organisation_id=organisation_id,
        percent=percent,
        word=word,
        effective_from=local_day(now) + timedelta(days=1),
        set_by=actor.member_id,
        set_at=now,
    )
    session.add(row)
    audit.record(session, actor, "households.entitlement_set", kind="entitlement", id=row.entitlement_id, now=now)
    return row.entitlement_id


async def end_entitlement(session: AsyncSession, *, actor: Actor, entitlement_id: UUID, now: datetime) -> None:
    """From tomorrow on nobody has it any more. Ending it twice is the same as once."""
    row = await session.get(Entitlement, (actor.community_id, entitlement_id), with_for_update=True)
    if row is None:
        raise EntitlementNotFound
    if row.effective_until is None:
        row.effective_until = max(local_day(now), row.effective_from) + timedelta(days=1)
        row.ended_by = actor.member_id
        audit.record(session, actor, "households.entitlement_ended", kind="entitlement", id=entitlement_id, now=now)


def _check_not_own(actor: Actor, household_id: UUID) -> None:
    if actor.household_id == household_id:
        raise OwnHousehold


def _record(session: AsyncSession, actor: Actor, action: str, row: HouseholdClass, now: datetime) -> None:
    """The household and the step, never the class: the audit is read by more people than the classes are."""
    audit.record(session, actor, action, kind="household", id=row.household_id, now=now)
