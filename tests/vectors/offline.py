"""Writes tests/vectors/offline.json: `python -m tests.vectors.offline`. What is expected stands here and is not asked of the rules.

A case names a scan of `scans`, and what differs from `state` and from that scan by path ("queue.count": 20). Most cases come
from three tables: faults with their reason in their order (each alone, each pair: the earlier one is the answer), edges (the last
good and the first bad value of every limit), and what must not matter.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.vectors.limits import limits
from tests.vectors.undos import undo_record, undos

HERE = Path(__file__).with_suffix(".json")
Paths = dict[str, Any]
Case = dict[str, Any]

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
NOON = int(datetime(2026, 3, 11, 4, 0, tzinfo=UTC).timestamp() * 1000)
"""Noon of a Wednesday in Shanghai."""

MEAL, ROAM, ONLINE, PAPER = "7301", "7302", "7303", "9223372036854775807"
STATE: Paths = {
    "trusted_at": NOON,
    "server_at": NOON - HOUR,
    "storage_ok": True,
    "time_zone": "Asia/Shanghai",
    "lease": {"id": "0198f000-0000-7000-8000-000000000001", "ends_at": NOON + DAY, "frozen": False},
    "vouchers": {
        number: {
            "open": 3,
            "class": offline_class,
            "code_seq": 4,
            "value_fen": 1200,
            "expires_at": NOON + 10 * DAY,
            "usable_from": NOON - 10 * DAY,
            "weekdays": 127,
        }
        for number, offline_class in ((MEAL, 1), (ROAM, 2), (ONLINE, 0))
    },
    "offers": {"12": {"value_fen": 1000, "usable_from": NOON - 10 * DAY, "weekdays": 127}},
    "issuer_keys": {"3": {"valid_from": NOON - 30 * DAY, "valid_to": NOON + 30 * DAY}},
    "revoked": ["42"],
    "used": {},
    "queue": {"count": 0, "fen": 0, "oldest_at": None},
    "floor": {"vouchers": 20, "fen": 30_000, "voucher_fen": 3000, "soft_hours": 24, "hard_hours": 72},
}
PHONE: Paths = {"form": "R", "code_seq": 4, "chain_ok": True, "quantity": 1}
SCANS: dict[str, Paths] = {
    "leased": PHONE | {"voucher": MEAL},
    "roaming on a phone": PHONE | {"voucher": ROAM},
    "roaming on paper": {
        "form": "S",
        "voucher": PAPER,
        "key": 3,
        "signature_ok": True,
        "code_seq": 1,
        "offer": 12,
        "expires_at": NOON + 10 * DAY,
        "pieces": 3,
        "quantity": 1,
    },
}
LISTED = {"leased": MEAL, "roaming on a phone": ROAM}


def faults(scan: str) -> list[tuple[str, Paths, Paths]]:
    """What can be wrong with this scan, in the order in which it is told: reason, change of the state, change of the scan."""
    listed = LISTED.get(scan)
    found: list[tuple[str, Paths, Paths]] = [
        ("storage", {"storage_ok": False}, {}),
        ("no_time", {"server_at": None}, {}),
        ("malformed", {}, {"form": "malformed"}),
        ("online_only", {}, {"form": "P"}),
        ("clock_back", {"server_at": NOON + 3 * MINUTE}, {}),
        ("too_long_offline", {"queue.oldest_at": NOON - 72 * HOUR}, {}),
    ]  # fmt: skip
    terms = f"vouchers.{listed}" if listed else "offers.12"
    if not listed:
        found += [
            ("key_unknown", {}, {"key": 4}),
            ("forged", {}, {"signature_ok": False}),
            ("wrong_shop", {}, {"offer": 13}),
        ]
    if scan == "leased":
        found += [
            ("no_lease", {"lease": None}, {}),
            ("lease_over", {"lease.ends_at": NOON}, {}),
            ("lease_frozen", {"lease.frozen": True}, {}),
        ]
    found.append(("revoked", {"revoked": ["42", SCANS[scan]["voucher"]]}, {}))
    if listed:
        found += [
            ("code_outdated", {}, {"code_seq": 3}),
            ("code_stale", {}, {"chain_ok": False}),
            ("expired", {f"{terms}.expires_at": NOON}, {}),
        ]
    else:
        found.append(("expired", {}, {"expires_at": NOON}))
    found += [
        ("not_yet", {f"{terms}.usable_from": NOON + 1}, {}),
        ("not_today", {f"{terms}.weekdays": 127 - 4}, {}),
        ("used_here", {f"used.{SCANS[scan]['voucher']}": 3}, {}),
        ("quantity_wrong", {}, {"quantity": 4}),
    ]
    if scan != "leased":
        found += [
            ("too_dear", {f"{terms}.value_fen": 3001}, {}),
            ("floor_count", {"queue.count": 20}, {}),
            ("floor_fen", {"queue.fen": 30_000}, {}),
        ]
    return found


def case(name: str, scan: str, expect: str, state: Paths | None = None, **changed: Any) -> Case:
    """One case; expect is the reason, and "accepted" the only one that accepts."""
    return {
        "name": name,
        "scan": scan,
        "state": state or {},
        "changed": changed,
        "expect": {"verdict": "accept" if expect == "accepted" else "refuse", "reason": expect},
    }


def from_faults() -> list[Case]:
    """Each scan is good, each fault alone is told, and of two the earlier one."""
    found = []
    for scan in SCANS:
        found.append(case(f"{scan}: good", scan, "accepted"))
        every = faults(scan)
        found += [case(f"{scan}: {why}", scan, why, state, **changed) for why, state, changed in every]
        for (first, one, its), (second, other, others) in itertools.combinations(every, 2):
            if clash(one, other) or clash(its, others):
                continue
            found.append(case(f"{scan}: {first} before {second}", scan, first, one | other, **(its | others)))
    return found


def clash(one: Paths, other: Paths) -> bool:
    """Whether two changes cannot be made together: the same place, or one inside what the other takes away."""
    return any(a == b or a.startswith(f"{b}.") or b.startswith(f"{a}.") for a, b in itertools.product(one, other))


LEASED, LISTED_ROAMING, SIGNED = SCANS
VOUCHER = f"vouchers.{MEAL}"
EDGES: list[Case] = [
    case("no lease is needed for the roaming class", LISTED_ROAMING, "accepted", {"lease": None}),
    case("no lease is needed for paper", SIGNED, "accepted", {"lease": None}),
    case("a lease in its last millisecond", LEASED, "accepted", {"lease.ends_at": NOON + 1}),
    case("a voucher in its last millisecond", LEASED, "accepted", {f"{VOUCHER}.expires_at": NOON + 1}),
    case("paper in its last millisecond", SIGNED, "accepted", expires_at=NOON + 1),
    case("usable from this millisecond", LEASED, "accepted", {f"{VOUCHER}.usable_from": NOON}),
    case("an offer usable from this millisecond", SIGNED, "accepted", {"offers.12.usable_from": NOON}),
    case("an issuer's key from this millisecond", SIGNED, "accepted", {"issuer_keys.3.valid_from": NOON}),
    case("an issuer's key not yet", SIGNED, "key_unknown", {"issuer_keys.3.valid_from": NOON + 1}),
    case("an issuer's key in its last millisecond", SIGNED, "accepted", {"issuer_keys.3.valid_to": NOON + 1}),
    case("an issuer's key that is over", SIGNED, "key_unknown", {"issuer_keys.3.valid_to": NOON}),
    case("the server is two minutes ahead", LEASED, "accepted", {"server_at": NOON + 2 * MINUTE}),
    case("and a millisecond more", LEASED, "clock_back", {"server_at": NOON + 2 * MINUTE + 1}),
    case("a shop without offers", SIGNED, "wrong_shop", {"offers": {}}),
    case("any printing of paper that is in no list", SIGNED, "accepted", code_seq=9),
    case("an older printing of a listed voucher", SIGNED, "code_outdated", voucher=ROAM),
    case("the newest printing of a listed voucher", SIGNED, "accepted", voucher=ROAM, code_seq=4),
    case("72 hours since the server", LEASED, "too_long_offline", {"server_at": NOON - 72 * HOUR}),
    case("a millisecond less", LEASED, "accepted", {"server_at": NOON - 72 * HOUR + 1}),
    case("the oldest record waits 72 hours less a millisecond", LEASED, "accepted", {"queue.oldest_at": NOON - 72 * HOUR + 1}),
    case("paper after 72 hours", SIGNED, "too_long_offline", {"server_at": NOON - 72 * HOUR}),
    case("the last piece", LEASED, "accepted", {f"used.{MEAL}": 2}),
    case("all pieces at once", LEASED, "accepted", quantity=3),
    case("one piece too many after one was used", LEASED, "quantity_wrong", {f"used.{MEAL}": 1}, quantity=3),
    case("no piece", LEASED, "quantity_wrong", quantity=0),
    case("fewer than no piece", LEASED, "quantity_wrong", quantity=-1),
    case("more was used than the server knows of", LEASED, "used_here", {f"used.{MEAL}": 5}),
    case("the last piece of paper", SIGNED, "accepted", {f"used.{PAPER}": 2}),
    case("paper that was used up here", SIGNED, "used_here", {f"used.{PAPER}": 3}),
    case("what was used of another voucher", SIGNED, "accepted", {f"used.{MEAL}": 3}),
    case("the twentieth roaming voucher", SIGNED, "accepted", {"queue.count": 19}),
    case("the twenty-first", SIGNED, "floor_count", {"queue.count": 20}),
    case("a leased one after twenty roaming", LEASED, "accepted", {"queue.count": 20, "queue.fen": 30_000}),
    case("a leased one of any price", LEASED, "accepted", {f"{VOUCHER}.value_fen": 99_999}),
    case("exactly thirty yuan", SIGNED, "accepted", {"offers.12.value_fen": 3000}),
    case("thirty yuan in pieces", SIGNED, "accepted", quantity=3),
    case("more than thirty yuan in pieces", LISTED_ROAMING, "too_dear", quantity=3),
    case("the three hundredth yuan", SIGNED, "accepted", {"queue.fen": 29_000}),
    case("a fen more", SIGNED, "floor_fen", {"queue.fen": 29_001}),
    case("three pieces over the rest", SIGNED, "floor_fen", {"queue.fen": 28_000}, quantity=3),
    case("a free voucher over a full floor of fen", SIGNED, "accepted", {"queue.fen": 30_000, "offers.12.value_fen": 0}),
    case("half the count after 24 hours", SIGNED, "floor_count", {"server_at": NOON - DAY, "queue.count": 10}),
    case("the tenth after 24 hours", SIGNED, "accepted", {"server_at": NOON - DAY, "queue.count": 9}),
    case("a millisecond before the soft limit", SIGNED, "accepted", {"server_at": NOON - DAY + 1, "queue.count": 10}),
    case("half the fen after 24 hours", SIGNED, "floor_fen", {"server_at": NOON - DAY, "queue.fen": 14_001}),
    case("the last fen of the half", SIGNED, "accepted", {"server_at": NOON - DAY, "queue.fen": 14_000}),
    case("an old record halves the floor too", SIGNED, "floor_count", {"queue.oldest_at": NOON - DAY, "queue.count": 10}),
    case("an odd floor, halved", SIGNED, "floor_count", {"server_at": NOON - DAY, "floor.vouchers": 3, "queue.count": 1}),
    case("the price of one is not halved", SIGNED, "accepted", {"server_at": NOON - DAY, "offers.12.value_fen": 3000}),
    case("a floor of nothing", SIGNED, "floor_count", {"floor.vouchers": 0}),
    case("leased work goes on after 24 hours", LEASED, "accepted", {"server_at": NOON - DAY}),
    case("a voucher of class 0 in the list", LEASED, "online_only", voucher=ONLINE),
    case(
        "paper that became class 0 after a second strike",
        SIGNED,
        "online_only",
        {f"vouchers.{MEAL}.class": 0},
        voucher=MEAL,
        code_seq=4,
    ),
    case("paper of a listed leased voucher needs the lease", SIGNED, "no_lease", {"lease": None}, voucher=MEAL, code_seq=4),
    case("paper of a listed voucher that is used up", SIGNED, "used_here", {f"vouchers.{ROAM}.open": 0}, voucher=ROAM, code_seq=4),
    case("a voucher of no list", LEASED, "unknown_here", voucher="1"),
    case("a name of JavaScript is no voucher", LEASED, "unknown_here", voucher="constructor"),
    case("a later code than the server knows of", LEASED, "code_outdated", code_seq=5),
    case("a typed code", LEASED, "online_only", form="short"),
    case("a member's card", LEASED, "online_only", form="M"),
    case("another voucher is revoked", LEASED, "accepted", {"revoked": ["42", ROAM, PAPER]}),
    case("a voucher whose number begins like a revoked one", LEASED, "accepted", {"revoked": [f"{MEAL}0", MEAL[:-1]]}),
    case("nothing was ever revoked", LEASED, "accepted", {"revoked": []}),
    case("a lease without an end in sight", LEASED, "accepted", {"lease.ends_at": NOON + 72 * HOUR}),
]  # fmt: skip
"""The last value that is still good, and the first that is not."""


DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MIDNIGHTS = (("Asia/Shanghai", 16), ("Asia/Urumqi", 18), ("UTC", 0))
"""A zone, and the hour of UTC in which its day begins."""


def weekdays() -> list[Case]:
    """The day of the week is the community's own, to the millisecond."""
    found = []
    monday = int(datetime(2026, 3, 9, tzinfo=UTC).timestamp() * 1000)
    for zone, hour in MIDNIGHTS:
        for number, name in enumerate(DAYS):
            begins = monday + number * DAY + (hour - 24 if hour else 0) * HOUR
            for at, day, when in ((begins, number, "begins"), (begins - 1, (number - 1) % 7, "has not begun")):
                state: Paths = {
                    "trusted_at": at,
                    "server_at": at - HOUR,
                    "time_zone": zone,
                    f"vouchers.{ROAM}.weekdays": 1 << number,
                }
                expect = "accepted" if day == number else "not_today"
                found.append(case(f"{name} {when} in {zone}", "roaming on a phone", expect, state))
    return found


def times() -> list[Case]:
    """What a phone takes for the time."""
    good = {"server_at": NOON, "mono": HOUR, "last_trusted_at": NOON, "device_at": NOON + HOUR, "skew": 0}
    table: list[tuple[str, Paths, int, list[str]]] = [
        ("an hour after the server", {}, NOON + HOUR, []),
        ("a phone whose clock was always wrong", {"device_at": NOON - DAY + HOUR, "skew": -DAY}, NOON + HOUR, []),
        ("a clock one minute behind", {"device_at": NOON + HOUR - MINUTE}, NOON + HOUR, []),
        ("two minutes behind are not written down", {"device_at": NOON + HOUR - 2 * MINUTE}, NOON + HOUR, []),
        ("a millisecond more is", {"device_at": NOON + HOUR - 2 * MINUTE - 1}, NOON + HOUR, ["clock_back"]),
        ("a clock put back a day", {"device_at": NOON - DAY}, NOON + HOUR, ["clock_back"]),
        ("a phone that slept", {"mono": MINUTE}, NOON + HOUR, ["clock_ahead"]),
        ("a counter two minutes behind", {"mono": HOUR - 2 * MINUTE}, NOON + HOUR, []),
        ("after a reload", {"mono": None}, NOON + HOUR, ["reloaded"]),
        ("after a reload, put back", {"mono": None, "device_at": NOON - HOUR}, NOON, ["reloaded", "clock_back"]),
        ("after a reload, a minute behind", {"mono": None, "device_at": NOON - MINUTE}, NOON, ["reloaded"]),
        ("reloaded, wrong as ever", {"mono": None, "device_at": NOON + 9 * HOUR, "skew": 8 * HOUR}, NOON + HOUR, ["reloaded"]),
        ("never before what was trusted", {"last_trusted_at": NOON + 2 * HOUR}, NOON + 2 * HOUR, ["clock_back"]),
        ("a minute before what was trusted", {"last_trusted_at": NOON + HOUR + MINUTE}, NOON + HOUR + MINUTE, []),
    ]  # fmt: skip
    return [
        {"name": name, "clock": good | changed, "expect": {"trusted_at": at, "flags": flags}}
        for name, changed, at, flags in table
    ]


def record(seq: int, prev: str, **changed: Any) -> dict[str, Any]:
    """A record of the log."""
    return {
        "v": 1,
        "seq": seq,
        "prev": prev,
        "nonce": f"0198f000-0000-7000-8000-{seq:012d}",
        "voucher": MEAL,
        "quantity": 1,
        "code": "HTTPS://LINLI.EXAMPLE.CN/V/RABC",
        "step": NOON // MINUTE,
        "device_at": NOON,
        "mono": 1500,
        "trusted_at": NOON,
        "lease": STATE["lease"]["id"],
        "clerk": "0198f000-0000-7000-8000-0000000000c1",
        "class": 1,
        "flags": [],
    } | changed


def in_one_line(value: dict[str, Any]) -> str:
    """JSON without blanks, keys as they stand."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def sha(text: str) -> str:
    """SHA-256, hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def records() -> list[Case]:
    """A record, its text and its hash. The keys are given in another order than they are written in."""
    table: list[tuple[str, Paths]] = [
        ("leased", {}),
        ("after a reload", {"mono": None, "flags": ["reloaded", "clock_back"]}),
        ("on paper", {"voucher": PAPER, "step": None, "lease": None, "class": 2}),
        ("all pieces", {"quantity": 100}),
        ("signs that JSON escapes", {"code": 'A"B\\C/D'}),
        ("signs outside ASCII", {"code": "邻里 €é"}),
        ("a control character", {"code": "A\tB\x01"}),
        ("a sign of two halves", {"code": "A😀B"}),
    ]
    made = [(name, record(7, "a" * 64, **changed)) for name, changed in table]
    made.append(("an earlier one taken back", undo_record(8, "b" * 64, record(7, "a" * 64))))
    return [
        {"name": name, "record": dict(reversed(one.items())), "text": in_one_line(one), "hash": sha(in_one_line(one))}
        for name, one in made
    ]


def chains() -> list[Case]:
    """H^times of a value: what a phone shows and what a scanner computes from it."""
    found = []
    for voucher, start, times in itertools.product((MEAL, "1", PAPER), ("0" * 16, "0123456789abcdef"), (0, 1, 2, 240)):
        value = bytes.fromhex(start)
        for _ in range(times):
            value = hashlib.sha256(int(voucher).to_bytes(8, "big") + value).digest()[:8]
        found.append({"voucher": voucher, "value": start, "times": times, "expect": value.hex()})
    return found


def logs() -> list[Case]:
    """Whole chains of records, good and broken."""
    texts: list[str] = []
    before = "0" * 64
    for seq in range(1, 6):
        texts.append(in_one_line(record(seq, before)))
        before = sha(texts[-1])
    hashes = [sha(text) for text in texts]
    other = in_one_line(record(3, hashes[1], quantity=2))
    undone = in_one_line(undo_record(2, hashes[0], record(1, "")))
    start = "0" * 64
    table: list[tuple[str, list[str], int, str, list[str]]] = [
        ("five in a row", texts, 0, start, [""] * 5),
        ("the next batch", texts[2:], 2, hashes[1], [""] * 3),
        ("nothing", [], 2, hashes[1], []),
        ("one is missing", [texts[0], texts[2], texts[3]], 0, start, ["", "gap", ""]),
        ("the first is missing", texts[1:3], 0, start, ["gap", ""]),
        ("the same again", texts[1:2], 2, hashes[1], ["fork"]),
        ("another third", [other], 2, hashes[1], [""]),
        ("a fourth that does not follow the third", [other, texts[3]], 2, hashes[1], ["", "fork"]),
        ("one taken back", [texts[0], undone], 0, start, ["", ""]),
        ("a first that follows something", [in_one_line(record(1, "b" * 64))], 0, start, ["fork"]),
    ]
    return [
        {"name": name, "texts": given, "after_seq": seq, "after_hash": after, "expect": expect}
        for name, given, seq, after, expect in table
    ]


def everything() -> dict[str, Any]:
    """The whole file."""
    return {
        "state": STATE,
        "scans": SCANS,
        "judge": from_faults() + EDGES + [case(*one) for one in limits(NOON)] + weekdays(),
        "undo": undos(clash),
        "time": times(),
        "record": records(),
        "chain": chains(),
        "log": logs(),
    }


def written(whole: dict[str, Any]) -> str:
    """JSON with a line for each case."""
    parts = []
    for key, value in whole.items():
        lines = ",\n".join(in_one_line(one) for one in value) if isinstance(value, list) else in_one_line(value)
        parts.append(f'"{key}": [\n{lines}\n]' if isinstance(value, list) else f'"{key}": {lines}')
    return "{\n" + ",\n".join(parts) + "\n}\n"


if __name__ == "__main__":
    HERE.write_text(written(everything()), encoding="utf-8")
