"""The bytes of a leaf, as written down in ledger/check.py."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.check import KINDS, Leaf, Unreadable, decode, read_receipt
from ledger.proofs import write_receipt

LEAF = Leaf(
    community=610102001012,
    seq=12,
    journal_id=11,
    transfers=2,
    kind="hold",
    amount=300,
    posted_at=1_772_355_600_000_000,
    effective_at=1_772_355_600_000_001,
    reverses=7,
    actor_id=bytes(range(16)),
    on_behalf_of=bytes(range(16, 32)),
    hold_id=bytes(range(32, 48)),
    expires_at=-5,
    unit="point",
    debit="member:a",
    credit="escrow",
    reference="券:1",
    reason="voucher_issued",
)


def test_every_byte_stands_where_the_description_says():
    texts = [word.encode() for word in (LEAF.unit, LEAF.debit, LEAF.credit, LEAF.reference, LEAF.reason)]
    assert LEAF.encode() == b"".join(
        [
            b"\x01",
            struct.pack(">QQQ", 610102001012, 12, 11),
            struct.pack(">I", 2),
            b"\x02",
            b"\x0f",
            struct.pack(">Qqq", 300, 1_772_355_600_000_000, 1_772_355_600_000_001),
            struct.pack(">Q", 7),
            bytes(range(48)),
            struct.pack(">q", -5),
            *(struct.pack(">H", len(text)) + text for text in texts),
        ]
    )


NUMBERS, TIMES, IDS = st.integers(1, 2**63 - 1), st.integers(-(2**63), 2**63 - 1), st.binary(min_size=16, max_size=16)
LEAVES = st.builds(
    Leaf,
    NUMBERS,
    NUMBERS,
    NUMBERS,
    st.integers(1, 2**31),
    st.sampled_from(sorted(KINDS)),
    NUMBERS,
    TIMES,
    TIMES,
    st.none() | NUMBERS,
    st.none() | IDS,
    st.none() | IDS,
    st.none() | IDS,
    st.none() | TIMES,
    *[st.text(max_size=40)] * 5,
)


@given(LEAVES)
def test_a_leaf_reads_back_as_it_was_written(leaf: Leaf):
    assert decode(leaf.encode()) == leaf


@given(LEAVES, LEAVES)
def test_two_transfers_never_share_their_bytes(one: Leaf, other: Leaf):
    assert (one == other) is (one.encode() == other.encode())


def test_no_id_and_the_id_of_zeros_are_two_things():
    assert LEAF._replace(actor_id=None).encode() != LEAF._replace(actor_id=bytes(16)).encode()
    assert LEAF._replace(expires_at=None).encode() != LEAF._replace(expires_at=0).encode()


@given(st.binary(max_size=300))
def test_whatever_is_no_leaf_is_called_unreadable(noise: bytes):
    with pytest.raises(Unreadable):
        decode(noise)


@pytest.mark.parametrize("cut", [1, 50, 119, 130])
def test_a_cut_or_longer_leaf_is_unreadable(cut: int):
    for damaged in (LEAF.encode()[:-cut], LEAF.encode() + bytes(cut)):
        with pytest.raises(Unreadable):
            decode(damaged)


@given(LEAVES, st.lists(st.binary(min_size=32, max_size=32), max_size=20))
def test_a_receipt_reads_back_even_with_blanks_and_small_letters(leaf: Leaf, path: list[bytes]):
    text = write_receipt(leaf.encode(), path)
    assert text.replace(":", "").isalnum()
    spread = " \n".join(text[start : start + 4].lower() for start in range(0, len(text), 4))
    assert read_receipt(spread) == (leaf.encode(), path)
