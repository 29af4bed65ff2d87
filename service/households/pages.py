"""The office's pages of household classes and of what they entitle to: for their keepers, every look written down."""

from datetime import datetime
from typing import Any
from uuid import UUID

from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

from service.communities import OrganisationKind, organisations, organisations_by_ids
from service.households import actions, queries
from service.households.payloads import ClassForm, DiscountIn, WordIn
from service.households.refused import refusal_kept
from service.households.rules import BASIS_LENGTH_MAX, KEEPERS, PRICED, SETTERS, ClassState, HouseholdKind
from service.identity import people_by_ids
from service.kit.access import Actor, Role, allow
from service.kit.clock import local_day
from service.kit.i18n import _, translate
from service.kit.manifest import InboxRow
from service.kit.once import once_page
from service.kit.pages import form_of, page, refill

AnyRequest = Request[Any, Any, Any]
PAGE, RULES = "/desk/households", "/desk/entitlements"


async def _shown(session: AsyncSession, actor: Actor, now: datetime, household_id: UUID | None) -> dict[str, Any]:
    waiting = await queries.waiting(session, actor.community_id)
    found = (
        await actions.look(session, actor=actor, household_id=household_id, now=now)
        if household_id is not None
        else None
    )
    ids = {row.proposed_by for row in waiting}
    ids |= {who for view in found or () for who in (view.proposed_by, view.decided_by) if who is not None}
    return {
        "title": _("家庭类别"),
        "waiting": waiting,
        "found": found,
        "household_id": household_id,
        "people": await people_by_ids(session, actor.community_id, ids),
        "kinds": [(kind.value, translate(f"household.{kind}")) for kind in HouseholdKind],
        "states": ClassState,
        "me": actor.member_id,
        "today": local_day(now),
        "basis_length": BASIS_LENGTH_MAX,
    }


@get(PAGE, opt=allow(*KEEPERS), include_in_schema=False)
async def households_page(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
    card: FromQuery[str | None] = None,
) -> Template:
    """What waits for a second person; and, by somebody's card, the classes of their household."""
    shown = await _shown(session, actor, now, None)
    with refill(request, "households/desk.html", **shown, typed=card or ""):
        async with refusal_kept(request, actor, now, is_look=True):
            household_id = await actions.household_of_card(session, actor=actor, card_no=card) if card else None
    if household_id is not None:
        shown = await _shown(session, actor, now, household_id)
    return page(request, "households/desk.html", **shown, typed=card or "")


@get(f"{PAGE}/{{household_id:uuid}}", opt=allow(*KEEPERS), include_in_schema=False)
async def household_page(
    request: AnyRequest,
    household_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Template:
    """One household's classes, for whoever is to agree."""
    async with refusal_kept(request, actor, now, household_id=household_id, is_look=True):
        shown = await _shown(session, actor, now, household_id)
    return page(request, "households/desk.html", **shown, typed="")


@post(f"{PAGE}/classes", opt=allow(*KEEPERS), include_in_schema=False)
async def propose(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Write a class down; a second person agrees."""
    with refill(request, "households/desk.html", **await _shown(session, actor, now, None), typed=""):
        form = await form_of(request, ClassForm)

        async def work() -> str:
            household_id = await actions.household_of_card(session, actor=actor, card_no=form.card_no)
            await actions.propose_class(
                session,
                actor=actor,
                household_id=household_id,
                kind=form.kind,
                basis=form.basis,
                is_consented=form.is_consented,
                now=now,
            )
            return f"{PAGE}?done=households.proposed"

        async with refusal_kept(request, actor, now):
            return await once_page(request, session, actor, now, work)


async def _moved(
    request: AnyRequest, session: AsyncSession, actor: Actor, now: datetime, class_id: UUID, *, is_agreed: bool | None
) -> Redirect:
    async def work() -> str:
        if is_agreed is None:
            await actions.end_class(session, actor=actor, class_id=class_id, now=now)
            return f"{PAGE}?done=households.ended"
        await actions.decide_class(session, actor=actor, class_id=class_id, is_agreed=is_agreed, now=now)
        return f"{PAGE}?done=households.{'agreed' if is_agreed else 'refused'}"

    async with refusal_kept(request, actor, now, class_id=class_id):
        return await once_page(request, session, actor, now, work)


@post(f"{PAGE}/classes/{{class_id:uuid}}/agree", opt=allow(*KEEPERS), include_in_schema=False)
async def agree(
    request: AnyRequest,
    class_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """It holds from tomorrow."""
    return await _moved(request, session, actor, now, class_id, is_agreed=True)


@post(f"{PAGE}/classes/{{class_id:uuid}}/refuse", opt=allow(*KEEPERS), include_in_schema=False)
async def refuse(
    request: AnyRequest,
    class_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """It does not hold; its proposer takes it back this way."""
    return await _moved(request, session, actor, now, class_id, is_agreed=False)


@post(f"{PAGE}/classes/{{class_id:uuid}}/end", opt=allow(*KEEPERS), include_in_schema=False)
async def end(
    request: AnyRequest,
    class_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """From tomorrow on it holds no more."""
    return await _moved(request, session, actor, now, class_id, is_agreed=None)


async def _rules(session: AsyncSession, actor: Actor, now: datetime) -> dict[str, Any]:
    teams = await organisations(session, actor.community_id, OrganisationKind.REPAIR_TEAM)
    found = await queries.entitlements(session, actor.community_id)
    # By their ids, for a team may have closed since.
    named = {each.organisation_id for each in found if each.organisation_id is not None}
    theirs = await organisations_by_ids(session, actor.community_id, named)
    return {
        "title": _("类别对应的权益"),
        "entitlements": found,
        "teams": {team_id: team.name for team_id, team in theirs.items()},
        "team_choices": [(str(team.organisation_id), team.name) for team in teams],
        "kinds": [(kind.value, translate(f"household.{kind}")) for kind in PRICED],
        "may_set": actor.has(*SETTERS),
        "today": local_day(now),
    }


@get(RULES, opt=allow(*KEEPERS, Role.ADMIN), include_in_schema=False)
async def rules_page(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Template:
    """What classes entitle to; not whom."""
    return page(request, "households/rules.html", **await _rules(session, actor, now))


@post(f"{RULES}/discounts", opt=allow(*SETTERS), include_in_schema=False)
async def set_discount(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """Percents off a team's price list, from tomorrow on."""
    with refill(request, "households/rules.html", **await _rules(session, actor, now)):
        form = await form_of(request, DiscountIn)

        async def work() -> str:
            await actions.set_entitlement(
                session,
                actor=actor,
                kind=form.kind,
                organisation_id=form.team,
                percent=form.percent,
                word=None,
                now=now,
            )
            return f"{RULES}?done=households.rule_set"

        return await once_page(request, session, actor, now, work)


@post(f"{RULES}/words", opt=allow(*SETTERS), include_in_schema=False)
async def set_word(
    request: AnyRequest,
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """A word that offers may ask for, from tomorrow on."""
    with refill(request, "households/rules.html", **await _rules(session, actor, now)):
        form = await form_of(request, WordIn)

        async def work() -> str:
            await actions.set_entitlement(
                session, actor=actor, kind=form.kind, organisation_id=None, percent=None, word=form.word, now=now
            )
            return f"{RULES}?done=households.rule_set"

        return await once_page(request, session, actor, now, work)


@post(f"{RULES}/{{entitlement_id:uuid}}/end", opt=allow(*SETTERS), include_in_schema=False)
async def end_rule(
    request: AnyRequest,
    entitlement_id: FromPath[UUID],
    session: NamedDependency[AsyncSession],
    actor: NamedDependency[Actor],
    now: NamedDependency[datetime],
) -> Redirect:
    """From tomorrow on nobody has it any more."""

    async def work() -> str:
        await actions.end_entitlement(session, actor=actor, entitlement_id=entitlement_id, now=now)
        return f"{RULES}?done=households.rule_ended"

    return await once_page(request, session, actor, now, work)


async def inbox(session: AsyncSession, actor: Actor, now: datetime) -> list[InboxRow]:
    """Classes that wait for somebody else's word, without saying which."""
    del now  # what waits does not depend on the hour
    if not actor.has(*KEEPERS):
        return []
    waiting = [row for row in await queries.waiting(session, actor.community_id) if row.proposed_by != actor.member_id]
    people = await people_by_ids(session, actor.community_id, {row.proposed_by for row in waiting})
    return [
        InboxRow(
            kind="household_class",
            title=_("一个家庭的类别"),
            who=people[row.proposed_by].name if row.proposed_by in people else "",
            since=row.proposed_at,
            url=f"{PAGE}/{row.household_id}",
        )
        for row in waiting
    ]


HANDLERS = [
    households_page,
    household_page,
    propose,
    agree,
    refuse,
    end,
    rules_page,
    set_discount,
    set_word,
    end_rule,
]
