"""Anchors are computed once: whatever was asked before, the answer is that of the library."""

import random

import redemption
from service.vouchers.anchors import Anchors, secrets_of_windows

FIRST = 100_000
"""A window of these years."""
SECONDS = 240 * 60
KEYS = redemption.CodeKeys(current=1, keys={1: b"1" * 32})
TURNED = redemption.CodeKeys(current=2, keys={1: b"1" * 32, 2: b"2" * 32}, since={1: 0, 2: (FIRST + 5) * SECONDS})
LEAKED = redemption.CodeKeys(current=2, keys={2: b"2" * 32}, since={2: 0}, revoked=frozenset({1}))


def asked(anchors: Anchors, keys: redemption.CodeKeys, voucher_id: int, first: int, count: int) -> list[bytes]:
    secrets = secrets_of_windows(keys, first_window=first, count=count)
    found = anchors.of(keys, community_id=7, voucher_id=voucher_id, code_seq=1, first_window=first, secrets=secrets)
    return list(found)


def computed(keys: redemption.CodeKeys, voucher_id: int, first: int, count: int) -> list[bytes]:
    return list(
        redemption.anchors(keys, community_id=7, voucher_id=voucher_id, code_seq=1, first_window=first, count=count)
    )


def test_whatever_was_asked_before_the_answer_is_the_librarys() -> None:
    """Windows pass, leases end earlier and later, keys turn and leak, clocks go back, and there is room for two of three."""
    lot, anchors = random.Random(5), Anchors(most=2)
    for _ in range(300):
        ask = (lot.choice([KEYS, TURNED, LEAKED]), lot.randrange(1, 4), FIRST + lot.randrange(9), lot.randrange(1, 8))
        assert asked(anchors, *ask) == computed(*ask), ask


def test_what_is_known_is_not_computed_again() -> None:
    """A look later of the same lease: it needs no key at all, so nothing is made with one."""
    anchors = Anchors()
    first = asked(anchors, KEYS, 1, FIRST, 6)
    secrets = secrets_of_windows(KEYS, first_window=FIRST + 2, count=4)
    keyless = redemption.CodeKeys(current=1, keys={})

    again = anchors.of(keyless, community_id=7, voucher_id=1, code_seq=1, first_window=FIRST + 2, secrets=secrets)

    assert list(again) == first[2:]


def test_a_voucher_that_was_left_out_for_others_is_computed_again() -> None:
    anchors = Anchors(most=1)
    first = asked(anchors, KEYS, 1, FIRST, 2)
    asked(anchors, KEYS, 2, FIRST, 2)

    assert asked(anchors, KEYS, 1, FIRST, 2) == first == computed(KEYS, 1, FIRST, 2)
