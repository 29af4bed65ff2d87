"""How Python speaks to the functions of sql/ and to the tables: one statement each, in the caller's transaction."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncSession

from redemption.refusals import BY_CODE, MemberInDebt, RedemptionRefusal

Answer = tuple[str, Mapping[str, Any]]
"""A verdict code and its detail, which is JSON."""
_IN_DEBT = "ledger.account_in_debt"


async def ask(session: AsyncSession, function: str, *arguments: object) -> Answer:
    """Call one function of sql/ and return its verdict, whatever it is."""
    places = ", ".join(f"${number}" for number in range(1, len(arguments) + 1))
    connection = await session.connection()
    query = f"SELECT code, detail::text AS detail FROM redemption.{function}({places})"  # noqa: S608  (our own names)
    row = (await connection.exec_driver_sql(query, arguments)).mappings().one()
    return row["code"], json.loads(row["detail"]) if row["detail"] else {}


def granted(answer: Answer) -> Answer:
    """The answer itself, or the refusal it stands for, raised."""
    code, detail = answer
    if code in BY_CODE:
        raise refusal_of(code, detail)
    return answer


async def act(session: AsyncSession, function: str, *arguments: object) -> tuple[bool, Mapping[str, Any]]:
    """Call a function that does something once. Returns whether it was a replay, and the detail; raises the refusal."""
    code, detail = await ask(session, function, *arguments)
    if code not in ("done", "replayed"):
        raise refusal_of(code, detail)
    return code == "replayed", detail


def refusal_of(code: str, detail: Mapping[str, Any]) -> RedemptionRefusal:
    """The refusal that a verdict stands for. What the ledger refuses to a member in debt has a refusal of its own."""
    known = detail.get("ledger") or {}
    if detail.get("ledger_code") == _IN_DEBT and str(known.get("account", "")).startswith("member:"):
        return MemberInDebt(detail=detail, owed=-known["available"])
    return BY_CODE.get(code, RedemptionRefusal).from_answer(detail)


async def rows(session: AsyncSession, query: str, **values: object) -> list[RowMapping]:
    """The rows of one query, by column name."""
    result = await session.execute(text(query), values)
    return list(result.mappings())


def aware(now: datetime) -> datetime:
    """The instant itself; one without a zone is a bug of the caller."""
    assert now.tzinfo is not None, "an instant needs its zone"
    return now
