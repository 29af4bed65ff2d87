"""Taking in a shop's sales: each line a journal of its own, through the door for many (decision 0009).

Nothing is held while the lines wait at the door: what must be known before is read in a short transaction, and what was there
already is compared in another one afterwards. A line's reference is made of the shop and the till's number, so a batch that broke
off is simply sent again.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

import ledger
from service import chart
from service.chart import Reason
from service.communities import settings_on
from service.fund.queries.sales import kept_lines, taken_back_on
from service.fund.queries.shops import agreed_rates, shop_to_send_for
from service.fund.rules import (
    Line,
    NoRate,
    NotYetKnown,
    NumberReused,
    Outcome,
    Rate,
    Way,
    check_line,
    gift_fen,
    number_of_day,
    sale_reference,
)
from service.fund.tables import FundDelivery
from service.kit import audit
from service.kit.access import Actor
from service.kit.clock import day_begins, local_day
from service.kit.db import Sessions, is_connection_trouble, transaction
from service.kit.ids import new_id
from service.kit.refusals import Refusal


@dataclass(slots=True)
class LineAnswer:
    """What became of a line, by its place in the batch."""

    line: Line | None
    outcome: Outcome
    gift_fen: int = 0
    refusal: Exception | None = None


@dataclass(frozen=True, slots=True)
class _Going:
    """A line on its way to the door."""

    place: int
    line: Line
    rate: Rate
    gift_fen: int


@dataclass(slots=True)
class _Batch:
    actor: Actor
    organisation_id: UUID
    answers: dict[int, LineAnswer]
    delivery_id: UUID = field(default_factory=new_id)
    going: list[_Going] = field(default_factory=list)
    repeated: list[tuple[int, Line]] = field(default_factory=list)
    """Lines whose number came earlier in the same batch; judged when the first is known."""

    def refuse(self, place: int, line: Line | None, refusal: Exception) -> None:
        self.answers[place] = LineAnswer(line, Outcome.REFUSED, refusal=refusal)


async def deliver_sales(
    sessions: Sessions,
    poster: ledger.GroupPoster,
    *,
    actor: Actor,
    organisation_id: UUID,
    lines: Sequence[Line | Refusal],
    way: Way,
    file_name: str = "",
    now: datetime,
) -> Sequence[LineAnswer]:
    """Take in lines, each for itself; a line that could not even be read is a refusal already. Answers are in their order.

    The same line again is answered `again`, another content under the same number refused. What is `unsure` may simply be
    sent again. Raises ShopNotFound.
    """
    batch = _Batch(actor, organisation_id, {})
    async with transaction(sessions) as session:
        await shop_to_send_for(session, actor, organisation_id, local_day(now))
        await _judge(session, batch, lines, now)
        if batch.going:
            _register(session, batch, way, file_name, now)
    told = await asyncio.gather(*(_post(poster, batch, each, now) for each in batch.going), return_exceptions=True)
    known = _note(batch, told)
    if known or batch.repeated:
        async with transaction(sessions) as session:
            await _compare(session, batch, known)
    return [batch.answers[place] for place in range(len(lines))]


async def _judge(session: AsyncSession, batch: _Batch, lines: Sequence[Line | Refusal], now: datetime) -> None:
    """Sort the lines into those that are answered already and those that go to the door."""
    community_id, today = batch.actor.community_id, local_day(now)
    rates = await agreed_rates(session, community_id, batch.organisation_id)
    held = await settings_on(session, community_id, ["fund_sale_days_back_max"], today)
    numbers = {line.number for line in lines if isinstance(line, Line)}
    kept = await kept_lines(session, community_id, batch.organisation_id, numbers)
    seen: set[str] = set()
    for place, line in enumerate(lines):
        if not isinstance(line, Line):
            batch.refuse(place, None, line)
        elif line.number in seen:
            batch.repeated.append((place, line))
        elif line.number in kept:
            seen.add(line.number)
            _answer_known(batch, place, line, kept[line.number].line, kept[line.number].gift_fen)
        else:
            _judge_new(batch, place, line, rates, seen, today, held["fund_sale_days_back_max"])


def _judge_new(
    batch: _Batch, place: int, line: Line, rates: Sequence[Rate], seen: set[str], today: date, days_back: int
) -> None:
    try:
        rate = check_line(line, rates, today=today, days_back=days_back)
    except Refusal as refusal:
        batch.refuse(place, line, refusal)
        return
    gift = gift_fen(line, rate.basis, rate.value)
    if gift == 0:
        batch.answers[place] = LineAnswer(line, Outcome.NOTHING)
        return
    seen.add(line.number)
    batch.going.append(_Going(place, line, rate, gift))


def _answer_known(batch: _Batch, place: int, line: Line, kept: Line, gift: int) -> None:
    if kept == line:
        batch.answers[place] = LineAnswer(line, Outcome.AGAIN, gift)
    else:
        batch.refuse(place, line, NumberReused())


def _register(session: AsyncSession, batch: _Batch, way: Way, file_name: str, now: datetime) -> None:
    delivery = FundDelivery(
        community_id=batch.actor.community_id,
        organisation_id=batch.organisation_id,
        delivery_id=batch.delivery_id,
        way=way,
        lines=len(batch.going),
        file_name=file_name[-120:],
        entered_by=batch.actor.member_id,
        entered_at=now,
    )
    session.add(delivery)
    audit.record(
        session,
        batch.actor,
        "fund.sales_sent",
        kind="fund_delivery",
        id=delivery.delivery_id,
        now=now,
        detail={"lines": delivery.lines, "way": way.value},
    )


async def _post(poster: ledger.GroupPoster, batch: _Batch, each: _Going, now: datetime) -> ledger.Posted:
    shop, line = batch.organisation_id, each.line
    journal = ledger.Journal(
        reference=sale_reference(shop, line.number),
        reason=Reason.FUND_GIFT,
        legs=(ledger.Leg(chart.giver(shop), chart.PROMISED, chart.FEN, each.gift_fen),),
        actor_id=batch.actor.member_id,
        effective_at=day_begins(line.sold_on),
    )
    row = ledger.Effect(
        "public.fund_sale",
        f"{shop.hex}:{line.number}",
        {
            "shop": str(shop),
            "number": line.number,
            "day": line.sold_on.isoformat(),
            "sales": line.sales,
            "amount": line.amount_fen,
            "gift": each.gift_fen,
            "rate": str(each.rate.rate_id),
            "delivery": str(batch.delivery_id),
        },
    )
    return await poster.post(batch.actor.community_id, journal, now=now, effect=row)


def _note(batch: _Batch, told: Sequence[ledger.Posted | BaseException]) -> Sequence[_Going]:
    """Write down what the door said; answers the lines that were there already and still have to be compared."""
    known: list[_Going] = []
    for each, verdict in zip(batch.going, told, strict=True):
        if isinstance(verdict, ledger.ReferenceReused) or (isinstance(verdict, ledger.Posted) and verdict.replayed):
            known.append(each)
        elif isinstance(verdict, ledger.Posted):
            batch.answers[each.place] = LineAnswer(each.line, Outcome.GIVEN, each.gift_fen)
        elif isinstance(verdict, ledger.EffectRefused):
            batch.refuse(each.place, each.line, NoRate())
        elif _is_unsure(verdict):
            batch.answers[each.place] = LineAnswer(each.line, Outcome.UNSURE, refusal=NotYetKnown())
        elif isinstance(verdict, ledger.LedgerRefusal):
            batch.refuse(each.place, each.line, verdict)
        else:
            raise verdict
    return known


def _is_unsure(verdict: BaseException) -> bool:
    return isinstance(verdict, ledger.OutcomeUnknown | ledger.TooBusy) or is_connection_trouble(verdict)


async def _compare(session: AsyncSession, batch: _Batch, known: Sequence[_Going]) -> None:
    """Somebody else sent the number at the same moment, or the batch names it twice: the kept line decides."""
    waiting = [(each.place, each.line) for each in known] + batch.repeated
    numbers = {line.number for _place, line in waiting}
    kept = await kept_lines(session, batch.actor.community_id, batch.organisation_id, numbers)
    for place, line in waiting:
        if line.number in kept:
            _answer_known(batch, place, line, kept[line.number].line, kept[line.number].gift_fen)
        else:  # the first of the batch was not taken either
            batch.answers[place] = _like(batch.answers, line)


def _like(answers: Mapping[int, LineAnswer], line: Line) -> LineAnswer:
    """The answer that the first line with this number got, unless the content differs."""
    first = next(
        answer for _, answer in sorted(answers.items()) if answer.line is not None and answer.line.number == line.number
    )
    if first.line == line:
        return LineAnswer(line, first.outcome, 0, first.refusal)
    return LineAnswer(line, Outcome.REFUSED, refusal=NumberReused())


async def type_in_day(
    sessions: Sessions,
    poster: ledger.GroupPoster,
    *,
    actor: Actor,
    organisation_id: UUID,
    sold_on: date,
    sales: int,
    amount_fen: int,
    way: Way,
    now: datetime,
) -> LineAnswer:
    """Take in a day that somebody typed: one line a day, unless the one before was taken back. Raises its refusal."""
    async with transaction(sessions) as session:
        taken_back = await taken_back_on(session, actor.community_id, organisation_id, sold_on)
    line = Line(number_of_day(sold_on, taken_back), sold_on, sales, amount_fen)
    (answer,) = await deliver_sales(
        sessions, poster, actor=actor, organisation_id=organisation_id, lines=[line], way=way, now=now
    )
    if answer.refusal is not None:
        raise answer.refusal
    return answer
