"""Whoever owns the server changes the books after they were sealed. Each way is tried, and each is named.

The faults are planted by a superuser, who passes every grant and drops the constraints that stand in the way. What he
does not have are the keys, and the seals that hang on the wall.
"""

from collections.abc import Mapping

import asyncpg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import ledger
from ledger import Fault
from tests.db import Database, Sessions
from tests.ledger.cast import BOOK, NOW, connected
from tests.ledger.plants import FIRST, FORGET, LOOSE, MOVE, PLANTS, Plant
from tests.ledger.sealing import KEYS, SIGNER, fill, gift, sealed

pytestmark = [pytest.mark.usefixtures("fresh_book"), pytest.mark.slow]

UNCHECKED = (
    "ALTER TABLE ledger.transfer DROP CONSTRAINT ck_transfer_accounts, DROP CONSTRAINT ck_transfer_order",
    "ALTER TABLE ledger.transfer DROP CONSTRAINT IF EXISTS ck_transfer_times",
    LOOSE,
    "ALTER TABLE ledger.account DROP CONSTRAINT ck_account_version",
    "ALTER TABLE ledger.tree DROP CONSTRAINT ck_tree_size",
)


async def two_seals(sessions: Sessions) -> Mapping[int, str]:
    """A book of 264 transfers, sealed at 262 and at its end; and what was published."""
    await fill(sessions, 253)
    first = await sealed(sessions)
    async with sessions.begin() as session:
        await ledger.post_many(session, BOOK, [gift(900), gift(901)], now=NOW)
    second = await sealed(sessions)
    assert (first.size, second.size) == (262, 264)
    return {seal.number: seal.text for seal in (first, second)}


async def everything(sessions: Sessions, copies: Mapping[int, str]) -> list[Fault]:
    """The full check, as `linli verify` does it."""
    async with sessions() as session:
        return [
            *await ledger.verify_seals(session, BOOK, KEYS, copies=copies),
            *await ledger.verify(session, BOOK),
        ]


async def round_of(sessions: Sessions, copies: Mapping[int, str]) -> Fault | None:
    async with sessions.begin() as session:
        return (await ledger.patrol(session, BOOK, KEYS, copies=copies, now=NOW)).fault


@pytest.mark.parametrize("fault", PLANTS, ids=lambda fault: fault.name)
async def test_every_change_is_named(fresh_sessions: Sessions, fresh_database: Database, fault: Plant):
    copies = await two_seals(fresh_sessions)
    assert await everything(fresh_sessions, copies) == []
    assert await round_of(fresh_sessions, copies) is None
    async with connected(fresh_database.superuser_url) as thief:
        await tamper(thief, *fault.sql)

    found = await everything(fresh_sessions, copies)
    assert set(fault.kinds) <= {one.kind for one in found}, found
    named = next(one for one in found if one.kind == fault.kinds[0])
    assert named.place == fault.place or not fault.place, named
    noticed = await round_of(fresh_sessions, copies)
    assert (noticed.kind if noticed else None) == fault.patrolled, noticed


async def tamper(thief: asyncpg.Connection, *statements: str) -> None:
    for statement in (*UNCHECKED, *statements):
        await thief.execute(statement)


NUMBER = "SELECT account_id FROM ledger.account WHERE code = '{}' AND unit = 'point'"
PRINT = """
UPDATE ledger.transfer SET fingerprint =
       ledger.fingerprint(reference, reason, actor_id, on_behalf_of, coalesce(effective_at, posted_at), reverses, {})
 WHERE seq = {}
"""
BALANCED = (
    # Chen gets 40 more, 40 less goes to Li, from the twentieth transfer on; every balance after it is made to agree.
    "UPDATE ledger.transfer SET amount = amount + 40 WHERE seq = 20",
    f"UPDATE ledger.transfer SET debit_balance = debit_balance - 40 WHERE seq >= 20 AND debit = ({NUMBER.format('li')})",
    f"UPDATE ledger.transfer SET credit_balance = credit_balance + 40 WHERE seq >= 20 AND credit = ({NUMBER.format('chen')})",
    "UPDATE ledger.account SET balance = balance - 40 WHERE code = 'li' AND unit = 'point'",
    "UPDATE ledger.account SET balance = balance + 40 WHERE code = 'chen' AND unit = 'point'",
    PRINT.format("ledger.step_line('post', 'li', 'chen', 'point', 41, NULL, NULL)", 20),
)


async def test_a_consistent_lie_passes_the_arithmetic_and_not_the_seal(
    fresh_sessions: Sessions, fresh_database: Database
):
    copies = await two_seals(fresh_sessions)
    async with connected(fresh_database.superuser_url) as thief:
        await tamper(thief, *BALANCED)
    async with fresh_sessions() as session:
        assert await ledger.verify(session, BOOK) == [], "the books balance, and they lie"
    (found,) = await everything(fresh_sessions, copies)
    assert (found.kind, found.place) == ("sealed_rows", FIRST)
    noticed = await round_of(fresh_sessions, copies)
    assert noticed is not None
    assert noticed.place == FIRST


async def test_a_tree_made_anew_over_the_lie_does_not_fit_the_seals(fresh_sessions: Sessions, fresh_database: Database):
    """Whoever also rewrites the tree lacks the key for the seals; and whoever removes those, the copies on the wall."""
    copies = await two_seals(fresh_sessions)
    async with connected(fresh_database.superuser_url) as thief:
        await tamper(
            thief, *BALANCED, "DELETE FROM ledger.tile", "UPDATE ledger.tree SET size = 0, edge = '', patrolled = 0"
        )
        async with fresh_sessions.begin() as session:
            assert (await ledger.extend(session, BOOK)).size == 264, "the sealer reads a book that balances"
        assert [(one.kind, one.place) for one in await everything(fresh_sessions, copies)] == [("sealed_rows", FIRST)]
        noticed = await round_of(fresh_sessions, copies)
        assert noticed is not None
        assert (noticed.kind, noticed.place) == ("seal_continues", "seal 2")
        async with fresh_sessions() as session:
            made = await ledger.seal(session, BOOK, SIGNER, KEYS, now=NOW)
            assert made.fault == noticed, "nothing more is sealed on top of it"

        await thief.execute("DELETE FROM ledger.seal")
        await sealed(fresh_sessions)
        found = {one.kind: one.place for one in await everything(fresh_sessions, copies)}
        assert found == {"seal_copy": "seal 1", "seal_missing": "seal 2"}


async def test_a_seal_by_somebody_elses_key_is_none_of_ours(fresh_sessions: Sessions, fresh_database: Database):
    copies = await two_seals(fresh_sessions)
    other = Ed25519PrivateKey.generate()
    forger = ledger.Signer(other.public_key().public_bytes_raw(), other.sign)
    async with connected(fresh_database.superuser_url) as thief:
        await tamper(thief, "DELETE FROM ledger.seal WHERE number = 2")
    async with fresh_sessions.begin() as session:
        await ledger.seal(session, BOOK, forger, KEYS, now=NOW)
    found = {one.kind: one.place for one in await everything(fresh_sessions, copies)}
    assert found == {"seal_signature": "seal 2", "seal_copy": "seal 2"}


UNREAD = [
    ("running_balance", "transfer 263", MOVE.format("amount = amount + 1", 263)),
    ("running_balance", "transfer 264", MOVE.format("credit_balance = credit_balance + 1", 264)),
    ("version", "transfer 263", MOVE.format("debit_version = debit_version + 1", 263)),
    ("version", "transfer 263", MOVE.format("debit_prev = 20", 263)),
    ("prev", "transfer 264", MOVE.format("credit_prev = 0", 264)),
    ("transfer_account", "transfer 263", MOVE.format("unit = 'minute'", 263)),
    ("limit", "transfer 263", "UPDATE ledger.account SET floor = balance + 2 WHERE code = 'li' AND unit = 'point'"),
    ("leaf", "transfer 263", "DELETE FROM ledger.transfer WHERE seq = 263"),
    ("leaf", "transfer 263", FORGET.format(263)),
    ("account_balance", "", "UPDATE ledger.account SET balance = balance + 1 WHERE code = 'chen' AND unit = 'point'"),
    ("tree_ahead", "book", "UPDATE ledger.book SET seq = 5"),
    ("tree_edge", "tree", "UPDATE ledger.tree SET edge = ''"),
]


@pytest.mark.parametrize(("kind", "place", "sql"), UNREAD, ids=[f"{kind} {sql[:45]}" for kind, _, sql in UNREAD])
async def test_the_sealer_stops_at_the_first_transfer_that_does_not_follow(
    fresh_sessions: Sessions, fresh_database: Database, kind: str, place: str, sql: str
):
    await fill(fresh_sessions, 253)
    await sealed(fresh_sessions)
    async with fresh_sessions.begin() as session:
        await ledger.post_many(session, BOOK, [gift(900), gift(901)], now=NOW)
    async with connected(fresh_database.superuser_url) as thief:
        await tamper(thief, "ALTER TABLE ledger.account DROP CONSTRAINT ck_account_floor", sql)
    for _ in range(2):
        async with fresh_sessions.begin() as session:
            growth = await ledger.extend(session, BOOK)
        assert growth.fault is not None
        assert (growth.size, growth.read, growth.fault.kind) == (262, 0, kind)
        assert place in {growth.fault.place, ""}
        async with fresh_sessions.begin() as session:
            made = await ledger.seal(session, BOOK, SIGNER, KEYS, now=NOW)
        assert (made.seal, made.fault) == (None, growth.fault)


async def test_no_proof_is_given_for_what_was_changed(fresh_sessions: Sessions, fresh_database: Database):
    await two_seals(fresh_sessions)
    async with connected(fresh_database.superuser_url) as thief:
        await tamper(thief, MOVE.format("amount = amount + 1", 20))
    async with fresh_sessions() as session:
        for seq in (20, 21):
            with pytest.raises(ledger.SealDoesNotFit):
                await ledger.prove(session, BOOK, seq)
        assert (await ledger.prove(session, BOOK, 263)).seal.number == 2
    async with connected(fresh_database.superuser_url) as thief:
        await tamper_again(thief)
    async with fresh_sessions() as session:
        for seq in (20, 263):
            with pytest.raises(ledger.SealDoesNotFit):
                await ledger.prove(session, BOOK, seq)
        with pytest.raises(ledger.SealDoesNotFit):
            await ledger.prove_continues(session, BOOK, 1, 2)


async def tamper_again(thief: asyncpg.Connection) -> None:
    await thief.execute(FORGET.format(20))
    await thief.execute("UPDATE ledger.seal SET root = sha256('') WHERE number = 2")
