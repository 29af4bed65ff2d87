"""The fund: two shops give of every sale, and ten days of their sales."""

from datetime import timedelta

from sqlmodel.ext.asyncio.session import AsyncSession

from service.demo.stage import Stage
from service.fund.actions.correcting import correct_sale
from service.fund.actions.delivering import type_in_day
from service.fund.actions.income import agree_to_income, record_donation, record_payment
from service.fund.actions.rates import agree_to_rate, propose_rate
from service.fund.rules import Basis, Way, number_of_day
from service.kit.clock import local_day
from service.kit.db import Sessions, make_poster, transaction

AGREED_DAYS_AGO = 40
SALES = ((46, 58_350), (52, 66_120), (39, 47_800), (61, 80_440), (44, 52_090), (57, 71_260), (49, 60_030), (53, 66_900))
"""How many sales a day and how much in fen; told from yesterday backwards."""


async def season(stage: Stage) -> None:
    """Two rates were agreed; another one waits for its second person."""
    at = stage.at(AGREED_DAYS_AGO, 9)
    first_day = local_day(at) + timedelta(days=1)
    for shop, value in (("bakery", 10), ("barbershop", 1)):
        where = stage.organisations[shop]
        rate = await propose_rate(
            stage.session,
            actor=stage.cast["wu"],
            organisation_id=where,
            basis=Basis.PER_SALE,
            value=value,
            effective_from=first_day,
            now=at,
        )
        await agree_to_rate(
            stage.session,
            actor=stage.cast["zheng"],
            organisation_id=where,
            rate_id=rate,
            now=stage.at(AGREED_DAYS_AGO, 10),
        )
    await propose_rate(
        stage.session,
        actor=stage.cast["wu"],
        organisation_id=stage.organisations["barbershop"],
        basis=Basis.PER_MILLE,
        value=2,
        effective_from=local_day(stage.now) + timedelta(days=8),
        now=stage.at(1, 9),
    )


async def sales(sessions: Sessions, stage: Stage) -> None:
    """What the shops sent, day by day: through the ledger's door, so after the rest of the story is committed."""
    poster = make_poster(sessions)
    today = local_day(stage.now)
    for shop, who, way in (("bakery", "zhou", Way.PAGE), ("barbershop", "wu", Way.DESK)):
        for ago, (count, amount) in enumerate(SALES, 1):
            await type_in_day(
                sessions,
                poster,
                actor=stage.cast[who],
                organisation_id=stage.organisations[shop],
                sold_on=today - timedelta(days=ago),
                sales=count,
                amount_fen=amount,
                way=way,
                now=stage.now,
            )
    await poster.close()
    async with transaction(sessions) as session:
        await correct_sale(
            session,
            actor=stage.cast["zhou"],
            organisation_id=stage.organisations["bakery"],
            number=number_of_day(today - timedelta(days=3), 0),
            reason="多算了一张小票",
            now=stage.now,
        )
        await _money(session, stage)


async def _money(session: AsyncSession, stage: Stage) -> None:
    """The bakery paid, the barber's payment waits; three neighbours gave, one of them by name."""
    today = local_day(stage.now)
    for shop, amount, document in (("bakery", 3_000, "20261120-0387"), ("barbershop", 400, "20261121-0112")):
        made = await record_payment(
            session,
            actor=stage.cast["qian"],
            organisation_id=stage.organisations[shop],
            amount_fen=amount,
            document=document,
            received_on=today - timedelta(days=1),
            now=stage.now,
        )
        if shop == "bakery":
            await agree_to_income(session, actor=stage.cast["feng"], income_id=made, now=stage.now)
    for number, (donor, is_named, amount) in enumerate(
        (("热心居民陈阿姨", True, 20_000), ("", False, 5_000), ("", False, 888)), 1
    ):
        await record_donation(
            session,
            actor=stage.cast["wu"],
            donor=donor,
            is_named=is_named,
            amount_fen=amount,
            document=f"SJ-{number:04d}",
            received_on=today,
            now=stage.now,
        )
