"""Finding journals by what an auditor knows of them, and reading them out for a file."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

import ledger
from service import chart
from service.identity import Person, account_names, members_by_card, normal_card, people_by_ids
from service.kit.clock import LAST_DAY, day_begins, local_day
from service.kit.db import Sessions, transaction
from service.kit.paging import PAGE_SIZE, decode_cursor, encode_cursor
from service.wallet.rules import BookUnit, check_asked

JOURNALS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of the journals. Days are whole and included; amounts are in the unit's smallest."""

    reference: str | None = None
    exact: bool = False
    reason: str | None = None
    account: str | None = None
    """A code of the chart, or a person's card number."""
    actor: str | None = None
    """The card number of whoever entered it."""
    unit: BookUnit | None = None
    amount_min: int | None = None
    amount_max: int | None = None
    posted_from: date | None = None
    posted_to: date | None = None
    effective_from: date | None = None
    effective_to: date | None = None
    only_reversals: bool = False

    def given(self) -> Mapping[str, Any]:
        """What is asked for at all, by name."""
        return {name: value for name in self.__slots__ if (value := getattr(self, name)) not in (None, "", False)}


@dataclass(frozen=True, slots=True)
class Found:
    """Some journals, newest first. With `searched_to` the search stopped there, and `next` goes on with older ones."""

    rows: Sequence[ledger.FoundJournal]
    people: Mapping[UUID, Person]
    next: str | None
    searched_to: date | None


async def journals(session: AsyncSession, community_id: int, asked: Asked, *, after: str | None = None) -> Found:
    """A page of the journals that fit everything asked. It costs the same for the newest and the oldest."""
    cursor = decode_cursor(after, int)
    wanted = await _filter(session, community_id, asked)
    if wanted is None:
        return Found((), {}, None, None)
    before = int(cursor[0]) if cursor else None
    found = await ledger.search(session, community_id, wanted, before=before, limit=PAGE_SIZE)
    stopped = found.searched_to if len(found.journals) < PAGE_SIZE else None
    return Found(
        found.journals,
        await _people(session, community_id, found.journals),
        encode_cursor(found.next) if found.next is not None else None,
        local_day(stopped) if stopped else None,
    )


async def _people(
    session: AsyncSession, community_id: int, found: Sequence[ledger.FoundJournal]
) -> Mapping[UUID, Person]:
    ids = {line.actor_id for line in found} | {line.on_behalf_of for line in found}
    return dict(await people_by_ids(session, community_id, ids))


async def _filter(session: AsyncSession, community_id: int, asked: Asked) -> ledger.JournalFilter | None:
    """What the ledger is asked; None where a card number is nobody's."""
    check_asked(unit=asked.unit, amount_min=asked.amount_min, amount_max=asked.amount_max)
    cards = {card for typed in (asked.account, asked.actor) if typed and (card := normal_card(typed))}
    members = await members_by_card(session, community_id, cards) if cards else {}
    actor = members.get(normal_card(asked.actor) or "") if asked.actor else None
    if asked.actor and actor is None:
        return None
    holder = members.get(normal_card(asked.account) or "") if asked.account else None
    return ledger.JournalFilter(
        reference=(asked.reference or None) if asked.exact else None,
        prefix=None if asked.exact else asked.reference or None,
        reason=asked.reason or None,
        account=chart.member(holder.member_id) if holder else asked.account or None,
        actor_id=actor.member_id if actor else None,
        unit=asked.unit.value if asked.unit else None,
        amount_min=asked.amount_min,
        amount_max=asked.amount_max,
        posted_from=_begins(asked.posted_from),
        posted_until=_ends(asked.posted_to),
        effective_from=_begins(asked.effective_from),
        effective_until=_ends(asked.effective_to),
        only_reversals=asked.only_reversals,
    )


def _begins(day: date | None) -> Any:
    return day_begins(day) if day else None


def _ends(day: date | None) -> Any:
    return day_begins(min(day, LAST_DAY) + timedelta(days=1)) if day else None


@dataclass(frozen=True, slots=True)
class Leg:
    """One row of the file: a transfer with the journal it belongs to."""

    journal: ledger.FoundJournal
    transfer: ledger.Transfer
    actor: str
    on_behalf_of: str
    debit: str
    credit: str


async def all_legs(sessions: Sessions, community_id: int, asked: Asked) -> AsyncIterator[Sequence[Leg]]:
    """Every transfer of every journal that fits, newest journal first, a part at a time.

    Each part is read in a transaction of its own, and no connection is kept while it is sent. What was posted never
    changes; what is posted meanwhile is newer than the first part and so not in the file.
    """
    before: int | None = None
    while True:
        async with transaction(sessions) as session:
            wanted = await _filter(session, community_id, asked)
            if wanted is None:
                return
            found = await ledger.search(session, community_id, wanted, before=before, limit=JOURNALS_AT_ONCE)
            legs = await _legs(session, community_id, found.journals)
        if legs:
            yield legs
        before = found.next
        if before is None:
            return


async def _legs(session: AsyncSession, community_id: int, found: Sequence[ledger.FoundJournal]) -> Sequence[Leg]:
    if not found:
        return []
    steps = await ledger.transfers(session, community_id, [line.journal_id for line in found])
    codes = {code for each in steps.values() for step in each for code in (step.debit, step.credit)}
    names = await account_names(session, community_id, codes)
    people = await _people(session, community_id, found)
    cards: dict[UUID | None, str] = {person_id: person.card_no for person_id, person in people.items()}
    return [
        Leg(
            line,
            step,
            cards.get(line.actor_id, ""),
            cards.get(line.on_behalf_of, ""),
            names[step.debit],
            names[step.credit],
        )
        for line in found
        for step in steps[line.journal_id]
    ]
