"""Cases of a scan that is taken back on the phone, a part of tests/vectors/offline.json."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

Paths = dict[str, Any]
Case = dict[str, Any]

MINUTE, HOUR = 60_000, 3_600_000
NOON = int(datetime(2026, 3, 11, 4, 0, tzinfo=UTC).timestamp() * 1000)
CLERK, OTHER = "0198f000-0000-7000-8000-0000000000c1", "0198f000-0000-7000-8000-0000000000c2"


def undos(clash: Callable[[Paths, Paths], bool]) -> list[Case]:
    """Taking back what waits on the phone: each fault alone, each pair, and the edges of the hour."""
    waiting = {"trusted_at": NOON - MINUTE, "clerk": CLERK, "undone": False}
    good: Paths = {"state": {"storage_ok": True, "trusted_at": NOON, "record": waiting}, "undo": {"clerk": CLERK}}
    every: list[tuple[str, Paths]] = [
        ("storage", {"state.storage_ok": False}),
        ("undo_gone", {"state.record": None}),
        ("undo_twice", {"state.record.undone": True}),
        ("undo_other_clerk", {"undo.clerk": OTHER}),
        ("undo_late", {"state.record.trusted_at": NOON - HOUR}),
    ]
    table: list[tuple[str, str, Paths]] = [("a minute ago", "accepted", {})]
    table += [(why, why, change) for why, change in every]
    table += [
        (f"{first} before {second}", first, one | other)
        for (first, one), (second, other) in itertools.combinations(every, 2)
        if not clash(one, other)
    ]
    table += [
        ("the last millisecond of the hour", "accepted", {"state.record.trusted_at": NOON - HOUR + 1}),
        ("this moment", "accepted", {"state.record.trusted_at": NOON}),
        ("a scan after what is trusted now", "accepted", {"state.record.trusted_at": NOON + MINUTE}),
    ]
    return [
        {
            "name": name,
            "good": good,
            "changed": changed,
            "expect": {"verdict": "accept" if expect == "accepted" else "refuse", "reason": expect},
        }
        for name, expect, changed in table
    ]


def undo_record(seq: int, prev: str, scan: Case) -> Case:
    """A record that annuls an earlier one."""
    return {
        "v": 2,
        "seq": seq,
        "prev": prev,
        "nonce": f"0198f000-0000-7000-8000-{seq:012d}",
        "undoes": scan["nonce"],
        "voucher": scan["voucher"],
        "quantity": 1,
        "device_at": scan["device_at"],
        "mono": 1500,
        "trusted_at": scan["trusted_at"],
        "clerk": scan["clerk"],
        "flags": [],
    }
