"""Whether the ledger and its model say the same."""

import contextlib
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

import ledger
from ledger import LedgerRefusal, Posted
from ledger.model import Book
from ledger.model_lots import NEVER
from ledger.model_state import Verdict
from tests.ledger.cast import NOW

FAR = NOW + timedelta(days=100_000)


async def standing(session: AsyncSession, number: int, reference: str) -> int | None:
    """The journal that stands under a reference."""
    with contextlib.suppress(LedgerRefusal):
        found = await ledger.journal(session, number, reference)
        return found.journal_id if found is not None else None
    return None


async def name_of(session: AsyncSession, number: int, verdict: Posted | LedgerRefusal) -> str:
    """The reference under which a sweep posted: it has the numbers of rows, which the model does not know."""
    query = sa.text("SELECT reference FROM ledger.journal WHERE community_id = :book AND journal_id = :id")
    asked = {"book": number, "id": verdict.journal_id if isinstance(verdict, Posted) else 0}
    return (await session.scalar(query, asked)) or "refused"


async def same_balances(session: AsyncSession, number: int, model: Book) -> None:
    """Every balance and every lot is that of the model."""
    balances = await ledger.balances(session, number, model.accounts)
    assert balances == {key: account.balance for key, account in model.accounts.items()}
    for unit, policy in model.policies.items():
        tracked = [(code, each) for (code, counted), each in model.accounts.items() if counted == unit and each.lots]
        found: list[ledger.Expiring] = []
        while page := await ledger.expiring(
            session, number, unit, before=FAR, after=found[-1].place if found else None, limit=3
        ):
            found += page
        expected = {(code, when): x for code, each in tracked for when, x in each.lots.items() if when != NEVER}
        assert {(each.account, each.expires_at): each.amount for each in found} == expected
        assert [each.place for each in found] == sorted(each.place for each in found)
        for code in {code for code, _ in tracked} | {policy.prefix}:
            lie = {each.expires_at or NEVER: each.amount for each in await ledger.lots(session, number, code, unit)}
            known = model.accounts.get((code, unit))
            assert lie == (known.lots if known is not None else {})


async def agree(session: AsyncSession, number: int, model: Book) -> None:
    """The book is proved, and every balance, debt and hold is that of the model."""
    assert await ledger.verify(session, number) == []
    begins = [entry.journal_id for entry in model.entries.values()]
    assert await ledger.verify(session, number, since=begins[len(begins) // 2] - 1) == []
    assert await ledger.balances(session, number, model.accounts) == {
        key: account.balance for key, account in model.accounts.items()
    }
    owing = {(each.account, each.unit): (each.owed, each.reason) for each in await ledger.debts(session, number)}
    assert owing == {key: (each.owed, each.debt_reason) for key, each in model.accounts.items() if each.owed}
    kept = await ledger.holds(session, number, model.holds)
    assert {key: each.remaining for key, each in kept.items()} == {key: each.rest for key, each in model.holds.items()}


def said(verdict: Posted | LedgerRefusal) -> Verdict:
    """A verdict as the model gives it."""
    if isinstance(verdict, Posted):
        return Verdict(verdict.journal_id, verdict.replayed)
    assert isinstance(verdict, LedgerRefusal), verdict
    return Verdict(refusal=type(verdict), step=verdict.step)
