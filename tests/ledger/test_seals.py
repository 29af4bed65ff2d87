"""Reading a book into its tree, sealing it, and proofs from stored nodes: against the naive tree, late commits and races."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import asyncpg
import pytest

import ledger
from ledger import Leg
from ledger.check import continues, includes, leaf_hash, read_seal
from ledger.leaves import read
from tests.db import Database, Sessions
from tests.ledger.cast import BOOK, NOW, connected, journal, waiting
from tests.ledger.sealing import KEYS, SIGNER, fill, gift, grow, naive_root, sealed

pytestmark = pytest.mark.usefixtures("book")


async def leaves_of(sessions: Sessions) -> Sequence[bytes]:
    async with sessions() as session:
        size = (await ledger.lag(session, BOOK)).posted
        packed, _, broken = await read(session, BOOK, 0, size)
    assert broken is None
    return packed


@pytest.mark.parametrize("limit", [1, 5, 4096])
async def test_a_book_read_in_any_pieces_is_one_tree(sessions: Sessions, limit: int):
    await fill(sessions)
    await grow(sessions, limit=limit)
    seal = await sealed(sessions)
    leaves = await leaves_of(sessions)
    assert (seal.size, len(leaves)) == (12, 12)
    assert seal.root == naive_root(leaves)


async def test_a_seal_says_what_was_posted_and_is_signed(sessions: Sessions):
    await fill(sessions)
    seal = await sealed(sessions)
    said = read_seal(seal.text)
    assert (said.community, said.number, said.size, said.root) == (BOOK, 1, 12, seal.root)
    assert said.sealed_at == "2026-03-01T09:00:00.000000Z"
    assert seal.totals == (
        "bakery point 200",
        "chen minute 50",
        "chen point 3",
        "issued minute -50",
        "issued point -100000",
        "li point 99797",
    )
    assert seal.is_signed_by(KEYS)
    assert not seal.is_signed_by({})


async def test_each_seal_carries_the_hash_of_the_one_before(sessions: Sessions):
    await fill(sessions)
    first = await sealed(sessions)
    assert await sealed(sessions) == first, "nothing new, no new seal"
    async with sessions.begin() as session:
        await ledger.post(session, BOOK, gift(99), now=NOW)
    second = await sealed(sessions)
    assert (second.number, second.size, second.previous) == (2, 13, first.hash)
    async with sessions() as session:
        assert list(await ledger.seals(session, BOOK)) == [second, first]
        assert await ledger.verify_seals(session, BOOK, KEYS) == []


async def test_an_empty_book_cannot_be_sealed_and_a_missing_one_neither(sessions: Sessions):
    async with sessions() as session:
        with pytest.raises(ledger.NothingToSeal):
            await ledger.seal(session, BOOK, SIGNER, KEYS, now=NOW)
    async with sessions() as session:
        with pytest.raises(ledger.BookNotFound):
            await ledger.seal(session, 99, SIGNER, KEYS, now=NOW)
    async with sessions() as session:
        with pytest.raises(ledger.SealNotFound):
            await ledger.seal_by_number(session, BOOK, 1)


async def test_every_entry_of_a_long_book_is_proved_from_stored_nodes(sessions: Sessions):
    await fill(sessions, 701)
    first = await sealed(sessions)
    async with sessions.begin() as session:
        await ledger.post_many(session, BOOK, [gift(number) for number in range(1000, 1300)], now=NOW)
    second = await sealed(sessions)
    assert (first.size, second.size) == (710, 1010)
    async with sessions() as session:
        for seq in (1, 2, 255, 256, 257, 512, 513, 700, 710, 711, 768, 769, 1009, 1010):
            for number in (1, 2) if seq <= 710 else (2,):
                proof = await ledger.prove(session, BOOK, seq, number=number)
                assert includes(proof.seal.root, proof.seal.size, seq - 1, leaf_hash(proof.leaf), proof.path)
                assert proof.entry.seq == seq
        assert (await ledger.prove(session, BOOK, 711)).seal == second
        assert (await ledger.prove(session, BOOK, 710)).seal == first
        between = await ledger.prove_continues(session, BOOK, 1, 2)
        assert continues(first.root, 710, second.root, 1010, between.path)
        assert (await ledger.prove_continues(session, BOOK, 2, 1)).first == first
        assert (await ledger.prove_continues(session, BOOK, 2)).path == ()
        with pytest.raises(ledger.NotSealedYet):
            await ledger.prove(session, BOOK, 711, number=1)
        with pytest.raises(ledger.EntryNotFound):
            await ledger.prove(session, BOOK, 1011)


async def test_a_slow_transaction_that_commits_late_is_never_skipped(sessions: Sessions, database: Database):
    """Its numbers are taken under the head's lock: whoever comes later waits, and has nothing that could be read."""
    await fill(sessions)
    await grow(sessions)
    slow = sessions()
    await slow.begin()
    await ledger.post(slow, BOOK, gift(100), now=NOW)

    async def quick() -> None:
        async with sessions.begin() as session:
            await ledger.post(session, BOOK, gift(101), now=NOW)

    later = asyncio.create_task(quick())
    async with connected(database.superuser_url) as eye:
        await asyncio.wait_for(_waiting(eye), 10)
    async with sessions.begin() as session:
        assert (await ledger.extend(session, BOOK)).read == 0, "neither of them is there yet"
    await slow.commit()
    await slow.close()
    await later
    async with sessions.begin() as session:
        assert (await ledger.extend(session, BOOK)).size == 14
    leaves = await leaves_of(sessions)
    assert [b"gift:100" in leaf for leaf in leaves[12:]] == [True, False]
    assert (await sealed(sessions)).root == naive_root(leaves)


async def _waiting(eye: asyncpg.Connection) -> None:
    await waiting(eye, 1)


async def test_sealers_at_once_make_one_tree(sessions: Sessions):
    """The lock is the row of ledger.tree: the second sealer waits, and then finds the tree where the first left it."""
    await fill(sessions, 600)

    async def sealer(limit: int) -> None:
        for _ in range(6):
            async with sessions.begin() as session:
                growth = await ledger.extend(session, BOOK, limit=limit)
                assert growth.fault is None
            async with sessions.begin() as session:
                made = await ledger.seal(session, BOOK, SIGNER, KEYS, now=NOW)
                assert made.fault is None

    async def poster() -> None:
        for number in range(30):
            async with sessions.begin() as session:
                await ledger.post(session, BOOK, gift(5000 + number), now=NOW)

    await asyncio.gather(sealer(50), sealer(77), sealer(300), poster())
    last = await sealed(sessions)
    assert last.root == naive_root(await leaves_of(sessions))
    async with sessions() as session:
        assert await ledger.verify_seals(session, BOOK, KEYS) == []
        numbers = [seal.number for seal in await ledger.seals(session, BOOK)]
        assert numbers == list(range(last.number, 0, -1))


async def test_the_second_sealer_waits_for_the_first(sessions: Sessions, database: Database):
    await fill(sessions)
    first = sessions()
    await first.begin()
    assert (await ledger.extend(first, BOOK, limit=5)).size == 5

    async def second() -> ledger.Growth:
        async with sessions.begin() as session:
            return await ledger.extend(session, BOOK, limit=5)

    other = asyncio.create_task(second())
    async with connected(database.superuser_url) as eye:
        await asyncio.wait_for(_waiting(eye), 10)
    await first.commit()
    await first.close()
    assert (await other).size == 10


async def test_posting_never_waits_for_a_sealer(sessions: Sessions):
    await fill(sessions)
    async with sessions.begin() as sealing:
        await ledger.seal(sealing, BOOK, SIGNER, KEYS, now=NOW)
        async with sessions.begin() as posting:
            posted = await asyncio.wait_for(ledger.post(posting, BOOK, gift(50), now=NOW), 5)
            assert not posted.replayed


async def test_a_tree_far_behind_is_not_sealed_in_one_go(sessions: Sessions):
    await fill(sessions)
    async with sessions() as session:
        with pytest.raises(ledger.TreeBehind) as refused:
            await ledger.seal(session, BOOK, SIGNER, KEYS, now=NOW, read_max=11)
    assert refused.value.behind == 12
    async with sessions() as session:
        (found,) = await ledger.most_behind(session)
        assert (found.book, found.behind) == (BOOK, 12)
        assert await ledger.most_behind(session, but=[BOOK]) == []


async def test_the_patrol_comes_round(sessions: Sessions):
    await fill(sessions, 301)
    await sealed(sessions)
    for _ in range(3):
        async with sessions.begin() as session:
            seen = await ledger.patrol(session, BOOK, KEYS, now=NOW)
            assert (seen.first, seen.after, seen.came_round, seen.fault) == (0, 310, True, None)


async def test_a_long_book_is_patrolled_in_pieces(sessions: Sessions):
    await fill(sessions, 591)
    await sealed(sessions)
    seen = []
    for turn in range(4):
        async with sessions.begin() as session:
            book = await ledger.least_patrolled(session, but=[])
            assert book == BOOK
            now = NOW + timedelta(minutes=turn)
            seen.append(await ledger.patrol(session, book, KEYS, now=now, limit=256))
    assert [(one.first, one.after, one.came_round) for one in seen] == [
        (0, 256, False),
        (256, 512, False),
        (512, 600, True),
        (0, 256, False),
    ]
    assert [one.fault for one in seen] == [None] * 4


async def test_only_the_functions_write_and_each_refuses_what_does_not_follow(sessions: Sessions, database: Database):
    await fill(sessions)
    seal = await sealed(sessions)
    async with connected(database.app_url) as app:
        grown = await app.fetchval("SELECT ledger.grow_tree($1, 11, 12, $2, '{}', '{}', '{}')", BOOK, seal.edge)
        assert grown is False, "the tree is not at 11"
        grown = await app.fetchval("SELECT ledger.grow_tree($1, 12, 13, $2, '{}', '{}', '{}')", BOOK, seal.edge)
        assert grown is False, "nothing is posted there"
        add = "SELECT ledger.add_seal($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, '{}')"
        rest = (seal.previous, NOW, seal.key, seal.public_key, seal.signature)
        for number, size, edge in ((1, 12, seal.edge), (3, 12, seal.edge), (2, 11, seal.edge), (2, 12, b"")):
            assert await app.fetchval(add, BOOK, number, size, seal.root, edge, *rest) is False
    async with sessions.begin() as session:
        await ledger.post(session, BOOK, journal("more", Leg("li", "chen", "point", 1)), now=NOW)
