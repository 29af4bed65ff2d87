"""verify names the first bad row of each kind. A superuser plants the faults: nobody else can."""

import re
from dataclasses import dataclass

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

import ledger
from ledger import Fault, Hold, Leg, Release
from ledger.verify import balances, entries
from tests.db import Database, Sessions, open_engine, sessions_of
from tests.ledger.cast import BOOK, NOW, hold_id, issue, journal, post
from tests.ledger.plants import FORGET, LOOSE

DROP = "ALTER TABLE ledger.{} DROP CONSTRAINT {}"
H1, H2 = (str(hold_id(number)) for number in (1, 2))


@dataclass(frozen=True)
class Plant:
    kind: str
    place: str
    sql: tuple[str, ...]


def plant(kind: str, place: str, *sql: str) -> Plant:
    return Plant(kind, place, sql)


DEBT = (
    "INSERT INTO ledger.debt_allowance SELECT community_id, account_id, 1, 'typo', {}, {}, '" + H1 + "', '2026-03-01Z'"
    " FROM ledger.account WHERE code = 'chen' AND unit = 'point'"
)
PLANTS = [
    plant("unit_sum", "point", "UPDATE ledger.account SET balance = balance + 1 WHERE code = 'li' AND unit = 'point'"),
    plant(
        "running_balance", "transfer 2", "UPDATE ledger.transfer SET debit_balance = debit_balance + 1 WHERE seq = 2"
    ),
    plant("running_balance", "transfer 6", "UPDATE ledger.transfer SET credit_balance = 1 WHERE seq = 6"),
    plant("running_balance", "transfer 6", "UPDATE ledger.transfer SET amount = amount + 1 WHERE seq = 6"),
    plant("running_balance", "transfer 8", "DELETE FROM ledger.transfer WHERE seq = 7"),
    plant("version", "transfer 3", "UPDATE ledger.transfer SET debit_version = 9 WHERE seq = 3"),
    plant("prev", "transfer 6", "UPDATE ledger.transfer SET debit_prev = 0 WHERE seq = 6"),
    plant(
        "account_balance",
        "account li point",
        "UPDATE ledger.account SET balance = 1 WHERE code = 'li' AND unit = 'point'",
    ),
    plant(
        "account_version",
        "account li point",
        "UPDATE ledger.account SET version = 1 WHERE code = 'li' AND unit = 'point'",
    ),
    plant(
        "account_last_seq",
        "account li point",
        "UPDATE ledger.account SET last_seq = 99 WHERE code = 'li' AND unit = 'point'",
    ),
    plant(
        "floor",
        "account chen point",
        DROP.format("account", "ck_account_floor"),
        "UPDATE ledger.account SET balance = -1 WHERE code = 'chen' AND unit = 'point'",
    ),
    plant(
        "floor",
        "account chen point",
        DROP.format("account", "ck_account_floor"),
        "UPDATE ledger.account SET balance = -6, debt_limit = 5, debt_reason = 'typo' WHERE code = 'chen' AND unit = 'point'",
    ),
    plant(
        "ceiling",
        "account jar point",
        DROP.format("account", "ck_account_ceiling"),
        "UPDATE ledger.account SET balance = 101 WHERE code = 'jar'",
    ),
    plant(
        "account_code",
        "account chen point",
        DROP.format("account", "uq_account_code"),
        "UPDATE ledger.account SET code = 'chen' WHERE code = 'li' AND unit = 'point'",
    ),
    plant("sequence", "transfer 4", "DELETE FROM ledger.transfer WHERE seq = 3"),
    plant("sequence", "transfer 90", LOOSE, "UPDATE ledger.transfer SET seq = 90 WHERE seq = 9"),
    plant("head_seq", "book 7", "UPDATE ledger.book SET seq = 3"),
    plant("head_seq", "book 7", DROP.format("account", "fk_account_book"), "DELETE FROM ledger.book"),
    plant("head_closed", "book 7", "UPDATE ledger.book SET closed_until = '2026-01-01Z'"),
    plant("head_closed", "book 7", f"INSERT INTO ledger.period SELECT 7, '2026-01-01Z', 0, '{H1}', '2026-01-01Z'"),
    plant("period", "journal 7 undo", f"INSERT INTO ledger.period SELECT 7, '2026-03-02Z', 6, '{H1}', '2026-03-02Z'"),
    plant(
        "debt_allowance",
        "account chen point",
        "UPDATE ledger.account SET debt_limit = 5, debt_reason = 'typo' WHERE code = 'chen' AND unit = 'point'",
    ),
    plant("debt_allowance", "account chen point", DEBT.format(5, 0)),
    plant("head_at", "book 7", "UPDATE ledger.book SET at = '2020-01-01Z'"),
    plant("transfer_account", "transfer 2", "UPDATE ledger.transfer SET debit = 99999999 WHERE seq = 2"),
    plant("transfer_account", "transfer 6", "UPDATE ledger.transfer SET unit = 'minute' WHERE seq = 6"),
    plant(
        "transfer_account",
        "transfer 6",
        DROP.format("transfer", "ck_transfer_accounts"),
        "UPDATE ledger.transfer SET debit = credit WHERE seq = 6",
    ),
    plant(
        "transfer_amount",
        "transfer 6",
        DROP.format("transfer", "ck_transfer_amount"),
        "UPDATE ledger.transfer SET amount = -5 WHERE seq = 6",
    ),
    plant("transfer_floor", "transfer 6", "UPDATE ledger.transfer SET debit_balance = -1 WHERE seq = 6"),
    # A reversal below the floor: allowed too late, or not so much.
    plant(
        "transfer_floor", "transfer 7", "UPDATE ledger.transfer SET debit_balance = -3 WHERE seq = 7", DEBT.format(9, 7)
    ),
    plant(
        "transfer_floor", "transfer 7", "UPDATE ledger.transfer SET debit_balance = -3 WHERE seq = 7", DEBT.format(2, 6)
    ),
    plant("transfer_late", "transfer 4", "UPDATE ledger.transfer SET kind = 'capture' WHERE seq = 4"),
    plant("transfer_ceiling", "transfer 9", "UPDATE ledger.transfer SET credit_balance = 101 WHERE seq = 9"),
    plant("transfer_journal", "transfer 5", LOOSE, "UPDATE ledger.transfer SET journal_id = 3 WHERE seq = 5"),
    plant("transfer_journal", "transfer 6", LOOSE, FORGET.format(6)),
    plant(
        "transfer_hold",
        "transfer 3",
        DROP.format("hold_expiry", "fk_hold_expiry_hold"),
        f"DELETE FROM ledger.hold WHERE hold_id = '{H1}'",
    ),
    plant(
        "transfer_hold",
        "transfer 6",
        DROP.format("transfer", "ck_transfer_hold"),
        f"UPDATE ledger.transfer SET hold_id = '{H1}' WHERE seq = 6",
    ),
    plant(
        "transfer_escrow",
        "transfer 6",
        "UPDATE ledger.transfer SET credit = (SELECT account_id FROM ledger.account"
        " WHERE code = 'escrow' AND unit = 'point') WHERE seq = 6",
    ),
    plant("journal_transfers", "journal 1 start", "UPDATE ledger.transfer SET transfers = 3 WHERE seq = 1"),
    plant("journal_transfers", "journal 5 more", LOOSE, "UPDATE ledger.transfer SET journal_id = 5 WHERE seq = 6"),
    plant("fingerprint", "journal 6 gift", "UPDATE ledger.transfer SET reason = 'theft' WHERE seq = 6"),
    plant("fingerprint", "journal 6 gift", "UPDATE ledger.transfer SET actor_id = NULL WHERE seq = 6"),
    plant("fingerprint", "journal 6 gift", "UPDATE ledger.transfer SET on_behalf_of = NULL WHERE seq = 6"),
    plant("fingerprint", "journal 6 gift", "UPDATE ledger.transfer SET effective_at = '2020-01-01Z' WHERE seq = 6"),
    plant("fingerprint", "journal 6 gift2", "UPDATE ledger.transfer SET reference = 'gift2' WHERE reference = 'gift'"),
    plant("fingerprint", "journal 6 gift", "UPDATE ledger.transfer SET amount = amount + 1 WHERE seq = 6"),
    plant("fingerprint", "journal 3 hold", "UPDATE ledger.hold SET expires_at = '2030-01-01Z'"),
    plant("fingerprint", "journal 1 start", "UPDATE ledger.account SET code = 'sun' WHERE code = 'li'"),
    plant(
        "key",
        "journal 6 gift",
        "DROP INDEX ledger.uq_transfer_reference",
        "UPDATE ledger.transfer SET reference = 'gift' WHERE reference = 'jar'",
    ),
    plant("posted_at", "journal 7 undo", "UPDATE ledger.transfer SET posted_at = '2030-01-01Z' WHERE seq = 6"),
    plant(
        "effective_at",
        "journal 6 gift",
        DROP.format("transfer", "ck_transfer_times"),
        "UPDATE ledger.transfer SET effective_at = '2030-01-01Z' WHERE seq = 6",
    ),
    plant(
        "reversal",
        "journal 7 undo",
        "UPDATE ledger.transfer SET reverses = 4 WHERE seq = 7",
        LOOSE,
        FORGET.format(4),
    ),
    plant("reversal_of_reversal", "journal 9 jar", "UPDATE ledger.transfer SET reverses = 7 WHERE seq = 9"),
    plant("reversal_of_hold", "journal 7 undo", "UPDATE ledger.transfer SET reverses = 3 WHERE seq = 7"),
    plant(
        "reversal_twice",
        "journal 7 undo",
        "DROP INDEX ledger.uq_transfer_reverses",
        "UPDATE ledger.transfer SET reverses = 6 WHERE seq = 9",
    ),
    plant("reversal_amount", "journal 7 undo", "UPDATE ledger.transfer SET amount = amount + 1 WHERE seq = 7"),
    plant("reversal_amount", "journal 9 jar", "UPDATE ledger.transfer SET reverses = 1 WHERE seq = 9"),
    plant("hold", f"hold {H1}", f"UPDATE ledger.hold SET captured = captured + 1 WHERE hold_id = '{H1}'"),
    plant("hold", f"hold {H1}", f"UPDATE ledger.transfer SET hold_id = '{H2}' WHERE seq = 4"),
    plant("hold_account", f"hold {H1}", "UPDATE ledger.hold SET account_id = account_id + 1"),
    plant("hold_account", f"hold {H1}", "UPDATE ledger.transfer SET credit = debit + 1000 WHERE seq = 5"),
    plant("hold_expiry", f"hold {H1}", "DELETE FROM ledger.hold_expiry"),
    plant(
        "hold_parts",
        f"hold {H1}",
        DROP.format("hold", "ck_hold_parts"),
        f"UPDATE ledger.hold SET captured = 99 WHERE hold_id = '{H1}'",
    ),
    plant("escrow", "point", f"UPDATE ledger.hold SET released = released + 1 WHERE hold_id = '{H1}'"),
    plant(
        "escrow", "point", "UPDATE ledger.account SET balance = balance + 1 WHERE code = 'escrow' AND unit = 'point'"
    ),
]


@pytest.fixture
async def filled(sessions: Sessions, book: int) -> int:
    """Nine transfers in which everything occurs: 1-2 issued, 3-5 a hold and parts of it, 6 a gift, 7 undone, 8-9."""
    await post(
        sessions,
        journal("start", Leg("issued", "li", "point", 1000), Leg("li", "chen", "point", 10)),
        journal("hold", Hold(hold_id(1), "li", "point", 50, NOW)),
        journal("release", Release(hold_id(1), 7)),
        journal("more", Release(hold_id(1), 3)),
        journal("gift", Leg("li", "chen", "point", 30)),
    )
    async with sessions.begin() as session:
        undo = [Leg("chen", "li", "point", 30)]
        await ledger.reverse(
            session, book, reference="undo", original="gift", reason="typo", actor_id=None, legs=undo, now=NOW
        )
    await post(
        sessions, journal("other", Hold(hold_id(2), "li", "point", 5)), journal("jar", Leg("li", "jar", "point", 50))
    )
    return book


async def verified(session: AsyncSession, *statements: str) -> list[Fault]:
    connection = await session.connection()
    for statement in statements:
        await connection.exec_driver_sql(statement)
    return await ledger.verify(session, BOOK)


@pytest.mark.parametrize("planted", PLANTS, ids=[f"{n}-{planted.kind}" for n, planted in enumerate(PLANTS)])
async def test_a_planted_fault_is_named(database: Database, filled: int, planted: Plant):
    async with open_engine(database.superuser_url) as engine, sessions_of(engine)() as session:
        assert await verified(session) == []
        named = await verified(session, *planted.sql)
        assert (planted.kind, BOOK, planted.place) in {(fault.kind, fault.book, fault.place) for fault in named}
        assert all(fault.detail for fault in named)
        await session.rollback()


async def test_every_kind_of_fault_has_been_planted(database: Database):
    text = " ".join((*balances.CHECKS, *entries.CHECKS))
    for kind in {planted.kind for planted in PLANTS}:
        assert f"'{kind}'" in text
    quoted = set(re.findall(r"\('(\w+)', ", text)) | {"unit_sum", "escrow"}
    assert quoted == {planted.kind for planted in PLANTS}


async def test_the_auditor_verifies_all_books_or_one(database: Database, sessions: Sessions, filled: int):
    await post(sessions, issue("late"))
    async with open_engine(database.superuser_url) as engine, sessions_of(engine).begin() as session:
        await (await session.connection()).exec_driver_sql("UPDATE ledger.book SET seq = 99")
    async with open_engine(database.audit_url) as engine, sessions_of(engine).begin() as session:
        assert await ledger.verify(session, BOOK + 1) == []
        for book in (BOOK, None):
            assert await ledger.verify(session, book) == [
                Fault("head_seq", BOOK, "book 7", "is at 99, the last transfer is 10")
            ]
