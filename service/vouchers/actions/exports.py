"""The queue of a phone that is dead, brought to the desk as text or as codes: taken as if the phone had sent it late."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

import redemption
from redemption import CodeKeys
from service.kit import audit
from service.kit.access import Actor
from service.kit.db import Sessions, transaction
from service.kit.refusals import Invalid
from service.vouchers.actions import devices as phones
from service.vouchers.rules import DeviceSignatureWrong
from service.vouchers.uploads import RECORDS_MOST, ExportedIn

_PIECE = re.compile(r"^LINLI (\d{1,4})/(\d{1,4})\r?\n", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a phone's queue: an answer for each record that could be read."""

    device: redemption.ShopDevice
    answers: Sequence[Mapping[str, Any]]
    unread: int


def joined(text: str) -> str:
    """The text of an export, from one piece or from codes scanned in any order, each once or more often."""
    parts = _PIECE.split(text)
    if len(parts) == 1:
        return text.strip()
    pieces = {int(number): piece.strip("\r\n") for number, piece in zip(parts[1::3], parts[3::3], strict=True)}
    counts = {int(count) for count in parts[2::3]}
    if parts[0].strip() or len(counts) != 1 or set(pieces) != set(range(1, counts.pop() + 1)):
        raise Invalid({"text": "export_incomplete"})
    # The signature's line ends inside the first piece; nowhere else is a line's end part of the text.
    return "".join(pieces[number] for number in sorted(pieces))


async def take_export(sessions: Sessions, *, actor: Actor, keys: CodeKeys, text: str, now: datetime) -> Taken:
    """Judge each record of an export as one that came late; the same text again changes nothing.

    The phone signed it: a text that was changed, of no phone of ours or of another community is refused whole. Each upload
    is a transaction of its own: one that took more vouchers after it has the books' head would wait for who waits for it.
    What broke off is brought again and goes on.
    """
    signature, _, body = joined(text).partition("\n")
    try:
        said = msgspec.json.decode(body.strip().encode(), type=ExportedIn)
    except (msgspec.ValidationError, msgspec.DecodeError, UnicodeEncodeError) as problem:
        raise Invalid({"text": "export_unreadable"}) from problem
    if said.community_id != actor.community_id:
        raise Invalid({"text": "export_unsigned"})
    try:
        async with transaction(sessions) as session:
            device = await phones.device_of_call(
                session,
                community_id=said.community_id,
                device_id=said.device_id,
                signature=signature.strip(),
                body=body.strip().encode(),
                now=now,
            )
    except DeviceSignatureWrong as problem:
        raise Invalid({"text": "export_unsigned"}) from problem
    answers: list[Mapping[str, Any]] = []
    unread = 0
    for first in range(0, max(1, len(said.records)), RECORDS_MOST):  # as many at a time as a phone may send
        async with transaction(sessions) as session:
            some, unknown = await phones.sync(
                session,
                device,
                community_id=said.community_id,
                keys=keys,
                texts=said.records[first : first + RECORDS_MOST],
                is_brought=True,
                now=now,
            )
            audit.record(
                session,
                actor,
                "vouchers.export_taken",
                kind="device",
                id=device.device_id,
                now=now,
                detail={"answered": len(some), "unread": len(unknown)},
            )
        answers += some
        unread += len(unknown)
    return Taken(device, answers, unread)
