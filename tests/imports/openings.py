"""What the tests of opening balances share."""

from datetime import date
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from service.closing import actions as closing
from service.imports.openings import actions
from service.imports.openings.cells import Column
from service.slices import manifests
from service.wallet import verify_books
from tests.cast import HERE
from tests.imports.sheets import comma, xlsx

HEADINGS = [column.value for column in Column]
LI = ("0012-0001", "李心愿", 120, 12.5, 6_000, "旧账第 3 页")
SUN = ("0012-0004", "", 60, "1,200", "", "")
DAY = date(2026, 11, 1)


@pytest.fixture
def upload(wu):
    async def send(*rows: Any, day: date = DAY, who=wu, headings=HEADINGS, as_csv: bool = False) -> Any:
        content = comma([headings, *rows]) if as_csv else xlsx([headings, *rows])
        name = "余额.csv" if as_csv else "余额.xlsx"
        form = {"effective_on": day.isoformat(), "source": "原时间银行账本"}
        answer = await who.post("/api/openings", files={"file": (name, content)}, data=form)
        assert answer.status_code == 201, answer.text
        return answer.json()

    return send


@pytest.fixture
def work(app, clock):
    """What the worker does until nothing is left."""

    async def do() -> int:
        timed = [
            each for item in manifests() for each in item.timed if each.name in ("openings.post", "openings.return")
        ]
        assert len(timed) == 2
        return sum([await app.state.worker.do_timed(each, clock.now) for each in timed])

    return do


@pytest.fixture
def bring(upload, work, wu, zheng):
    async def do(*rows: Any, **more: Any) -> Any:
        sheet = await upload(*rows, **more)
        url = f"/api/openings/{sheet['opening_id']}"
        assert (await wu.post(f"{url}/proposal")).status_code == 200
        approved = await zheng.post(f"{url}/approval")
        assert approved.status_code == 200, approved.text
        await work()
        return (await wu.get(url)).json()

    return do


async def has(client) -> tuple[int, int, int]:
    mine = (await client.get("/api/wallet")).json()
    return mine["coins"]["amount"], mine["points"]["amount"], mine["service"]["amount"]


async def books(app) -> dict[tuple[str, str], int]:
    """The trial balance, straight from the accounts."""
    async with app.state.sessions() as session:
        assert await verify_books(session, HERE) == []
        rows = await session.execute(
            sa.text(
                "SELECT split_part(code, ':', 1), unit, sum(balance)::bigint FROM ledger.account"
                " WHERE community_id = :c GROUP BY 1, 2"
            ),
            {"c": HERE},
        )
        return {(kind, unit): amount for kind, unit, amount in rows}


async def close_october(app, qian, feng, clock) -> None:
    async with app.state.sessions.begin() as session:
        made = await closing.propose_period(session, actor=qian.actor, last_day=date(2026, 10, 31), now=clock.now)
    async with app.state.sessions.begin() as session:
        await closing.confirm_closing(session, actor=feng.actor, closing_id=made, now=clock.now)


async def approved(app, upload, wu, zheng, clock, *rows, day: date = DAY) -> UUID:
    sheet = UUID((await upload(*rows, day=day))["opening_id"])
    async with app.state.sessions.begin() as session:
        await actions.propose(session, actor=wu.actor, opening_id=sheet, now=clock.now)
    async with app.state.sessions.begin() as session:
        await actions.approve(session, actor=zheng.actor, opening_id=sheet, now=clock.now)
    return sheet
