"""What a shop's phone decides without a network. Pure: no database, no clock, no key.

`judge` is the same function as in service/assets/src/offline-rules.js: both are held to tests/vectors/offline.json. Times are
milliseconds since 1970, ids of vouchers are decimal text, money is whole fen. Signatures and chains of codes are checked by
the caller and enter as booleans.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

HOUR: Final = 3_600_000
CLOCK_BACK: Final = 120_000
"""How far a clock may be wrong before it is written down."""
FIRST: Final = "0" * 64
"""What the first record of a device says its predecessor's hash was."""
RECORD_KEYS: Final = (
    "v",
    "seq",
    "prev",
    "nonce",
    "voucher",
    "quantity",
    "code",
    "step",
    "device_at",
    "mono",
    "trusted_at",
    "lease",
    "clerk",
    "class",
    "flags",
)
UNDO_KEYS: Final = (
    "v",
    "seq",
    "prev",
    "nonce",
    "undoes",
    "voucher",
    "quantity",
    "device_at",
    "mono",
    "trusted_at",
    "clerk",
    "flags",
)
"""What a record says that annuls the earlier one of the nonce `undoes`; its `v` is 2."""
UNDO_ORDER: Final = ("storage", "undo_gone", "undo_twice", "undo_other_clerk", "undo_late")
"""Why a scan is not taken back on the phone, in the order in which it is looked for."""

ORDER: Final = (
    "storage",
    "no_time",
    "malformed",
    "online_only",
    "clock_back",
    "too_long_offline",
    "key_unknown",
    "forged",
    "wrong_shop",
    "unknown_here",
    "no_lease",
    "lease_over",
    "lease_frozen",
    "revoked",
    "code_outdated",
    "code_stale",
    "expired",
    "not_yet",
    "not_today",
    "used_here",
    "quantity_wrong",
    "too_dear",
    "floor_count",
    "floor_fen",
)
"""Why a scan is refused without a network, in the order in which it is looked for; the first that applies is the answer."""

Judgement = dict[str, str]
State = Mapping[str, Any]


def judge(state: State, scan: State) -> Judgement:
    """Whether a scan may be accepted without a network, and why not: {verdict: accept | refuse, reason}.

    What is wrong with the phone itself comes first, then what is wrong with the code, then with the voucher, then the limits.
    The floor bounds what only the roaming class can lose; a leased voucher is accepted once by construction.
    """
    reason = (
        _of_the_phone(state, scan)
        or _of_the_code(state, scan)
        or _of_the_lease(state, scan)
        or _of_the_voucher(state, scan)
        or _of_the_limits(state, scan)
    )
    return {"verdict": "refuse", "reason": reason} if reason else {"verdict": "accept", "reason": "accepted"}


def judge_undo(state: State, undo: State) -> Judgement:
    """Whether a scan that waits on the phone may be taken back there: {verdict: accept | refuse, reason}.

    state = {storage_ok, trusted_at, record: {trusted_at, clerk, undone} | null}, undo = {clerk}. What the server has answered
    waits no longer and is taken back with a network.
    """
    reason = _of_the_undo(state, undo)
    return {"verdict": "refuse", "reason": reason} if reason else {"verdict": "accept", "reason": "accepted"}


def _of_the_undo(state: State, undo: State) -> str | None:
    if not state["storage_ok"]:
        return "storage"
    record = state["record"]
    if record is None:
        return "undo_gone"
    if record["undone"]:
        return "undo_twice"
    if record["clerk"] != undo["clerk"]:
        return "undo_other_clerk"
    return "undo_late" if state["trusted_at"] - record["trusted_at"] >= HOUR else None


def _of_the_phone(state: State, scan: State) -> str | None:
    if not state["storage_ok"]:
        return "storage"
    if state["server_at"] is None:
        return "no_time"
    if scan["form"] == "malformed":
        return "malformed"
    if scan["form"] not in ("R", "S") or _class(state, scan) == 0:
        return "online_only"
    return _of_the_time(state)


def _of_the_time(state: State) -> str | None:
    if state["trusted_at"] + CLOCK_BACK < state["server_at"]:
        return "clock_back"
    return "too_long_offline" if unsynced_ms(state) >= state["floor"]["hard_hours"] * HOUR else None


def _of_the_code(state: State, scan: State) -> str | None:
    if scan["form"] == "R":
        return None if scan["voucher"] in state["vouchers"] else "unknown_here"
    key = state["issuer_keys"].get(str(scan["key"]))
    if key is None or not key["valid_from"] <= state["trusted_at"] < key["valid_to"]:
        return "key_unknown"
    if not scan["signature_ok"]:
        return "forged"
    return None if str(scan["offer"]) in state["offers"] else "wrong_shop"


def _of_the_lease(state: State, scan: State) -> str | None:
    lease = state["lease"]
    if _class(state, scan) == 2:
        return None
    if lease is None:
        return "no_lease"
    if state["trusted_at"] >= lease["ends_at"]:
        return "lease_over"
    return "lease_frozen" if lease["frozen"] else None


def _of_the_voucher(state: State, scan: State) -> str | None:
    voucher, now = _terms(state, scan), state["trusted_at"]
    if scan["voucher"] in state["revoked"]:
        return "revoked"
    if scan["code_seq"] != voucher["code_seq"]:
        return "code_outdated"
    if scan["form"] == "R" and not scan["chain_ok"]:
        return "code_stale"
    return _of_its_days(voucher, now, state["time_zone"])


def _of_its_days(voucher: State, now: int, time_zone: str) -> str | None:
    if now >= voucher["expires_at"]:
        return "expired"
    if now < voucher["usable_from"]:
        return "not_yet"
    return None if voucher["weekdays"] >> weekday(now, time_zone) & 1 else "not_today"


def _of_the_limits(state: State, scan: State) -> str | None:
    voucher, queue = _terms(state, scan), state["queue"]
    left = voucher["open"] - state["used"].get(scan["voucher"], 0)
    if left <= 0:
        return "used_here"
    if not 1 <= scan["quantity"] <= left:
        return "quantity_wrong"
    if _class(state, scan) != 2:
        return None
    fen = voucher["value_fen"] * scan["quantity"]
    limits = floor_now(state)
    if fen > limits["voucher_fen"]:
        return "too_dear"
    if queue["count"] + 1 > limits["vouchers"]:
        return "floor_count"
    return "floor_fen" if queue["fen"] + fen > limits["fen"] else None


def unsynced_ms(state: State) -> int:
    """How long the phone has been without the server: since it last heard from it, or since its oldest record that waits."""
    oldest = state["queue"]["oldest_at"]
    since: int = state["server_at"] if oldest is None else min(state["server_at"], oldest)
    away: int = state["trusted_at"] - since
    return max(0, away)


def floor_now(state: State) -> dict[str, int]:
    """The limits that hold now: after the soft limit, half of the two that add up."""
    floor = state["floor"]
    part = 2 if unsynced_ms(state) >= floor["soft_hours"] * HOUR else 1
    return {
        "vouchers": floor["vouchers"] // part,
        "fen": floor["fen"] // part,
        "voucher_fen": floor["voucher_fen"],
    }


def weekday(at: int, time_zone: str) -> int:
    """The day of the week there and then; Monday is 0."""
    return datetime.fromtimestamp(at / 1000, UTC).astimezone(ZoneInfo(time_zone)).weekday()


def trusted_time(clock: State) -> dict[str, Any]:
    """What time it is, as far as a phone can know: {trusted_at, flags}.

    The last word of the server and what the browser's own counter says has passed since. That counter is gone after a reload
    and may stand still while the phone sleeps: then the phone's clock, set right by what it differed from the server, counts
    if it is later. Never earlier than what was trusted before.
    """
    flags: list[str] = []
    last = clock["last_trusted_at"]
    by_clock = clock["device_at"] - clock["skew"]
    if clock["mono"] is None:
        flags.append("reloaded")
        known = last
    else:
        known = clock["server_at"] + clock["mono"]
    if by_clock + CLOCK_BACK < max(known, last):
        flags.append("clock_back")
    elif by_clock > known + CLOCK_BACK and clock["mono"] is not None:
        flags.append("clock_ahead")
    return {"trusted_at": max(known, by_clock, last), "flags": flags}


def record_text(record: Mapping[str, Any]) -> str:
    """The text of a record that is hashed and sent: its keys in their order, without blanks."""
    keys = UNDO_KEYS if record["v"] == 2 else RECORD_KEYS
    return json.dumps({key: record[key] for key in keys}, ensure_ascii=False, separators=(",", ":"))


def record_hash(text: str) -> str:
    """SHA-256 of the text, in hexadecimal."""
    return hashlib.sha256(text.encode()).hexdigest()


def chain_value(voucher_id: str, value: bytes, times: int) -> bytes:
    """H applied so many times: the first eight bytes of SHA-256 over the voucher's id and the value before."""
    head = int(voucher_id).to_bytes(8, "big")
    for _ in range(times):
        value = hashlib.sha256(head + value).digest()[:8]
    return value


def log_faults(texts: Sequence[str], after_seq: int, after_hash: str) -> list[str]:
    """What is wrong with each record as the one after its predecessor: "" or gap or fork. A known fault does not spread."""
    faults = []
    for text in texts:
        record = json.loads(text)
        if record["seq"] != after_seq + 1:
            faults.append("fork" if record["seq"] <= after_seq else "gap")
        else:
            faults.append("" if record["prev"] == after_hash else "fork")
        after_seq, after_hash = record["seq"], record_hash(text)
    return faults


def _class(state: State, scan: State) -> int | None:
    """The voucher's class as the server last said, else the offer's; a signed code is of the roaming class."""
    known = state["vouchers"].get(scan.get("voucher"))
    if known is not None:
        return int(known["class"])
    return 2 if scan["form"] == "S" else None


def _terms(state: State, scan: State) -> State:
    """What holds for this voucher: what the server said of it, or what the signed code and the offer say."""
    known: State | None = state["vouchers"].get(scan["voucher"])
    if known is not None:
        return known
    offer = state["offers"][str(scan["offer"])]
    return {**offer, "code_seq": scan["code_seq"], "open": scan["pieces"], "expires_at": scan["expires_at"]}
