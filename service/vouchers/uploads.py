"""How a shop's phone writes: its records, its bytes and its signature."""

import base64
import binascii
from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

Milliseconds = Annotated[int, msgspec.Meta(ge=0, le=32_503_680_000_000)]
Digits = Annotated[str, msgspec.Meta(pattern=r"^[1-9][0-9]{0,18}$")]
Hash = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}$")]
Flag = Annotated[str, msgspec.Meta(pattern=r"^[a-z_]{1,40}$")]

Record = Annotated[str, msgspec.Meta(max_length=4_000)]
RECORDS_MOST = 200
"""So many records a phone sends at a time."""
EXPORTED_MOST = 2_000


class RecordIn(msgspec.Struct, forbid_unknown_fields=True, tag_field="v", tag=1):
    """A scan in a phone's log."""

    seq: Annotated[int, msgspec.Meta(ge=1, le=2**53)]
    prev: Hash
    nonce: UUID
    voucher: Digits
    quantity: Annotated[int, msgspec.Meta(ge=1, le=1000)]
    code: Annotated[str, msgspec.Meta(max_length=400)]
    step: Annotated[int, msgspec.Meta(ge=0, le=2**40)] | None
    device_at: int
    mono: Milliseconds | None
    trusted_at: Milliseconds
    lease: UUID | None
    clerk: UUID
    offline_class: Annotated[int, msgspec.Meta(ge=0, le=2)] = msgspec.field(name="class")
    flags: Annotated[list[Flag], msgspec.Meta(max_length=20)] = msgspec.field(default_factory=list)


class UndoIn(msgspec.Struct, forbid_unknown_fields=True, tag_field="v", tag=2):
    """A scan of the same log taken back."""

    seq: Annotated[int, msgspec.Meta(ge=1, le=2**53)]
    prev: Hash
    nonce: UUID
    undoes: UUID
    voucher: Digits
    quantity: Annotated[int, msgspec.Meta(ge=1, le=1000)]
    device_at: int
    mono: Milliseconds | None
    trusted_at: Milliseconds
    clerk: UUID
    flags: Annotated[list[Flag], msgspec.Meta(max_length=20)] = msgspec.field(default_factory=list)


class ExportedIn(msgspec.Struct):
    """The whole queue of a phone that is dead; what is signed is the exact text."""

    device_id: UUID
    community_id: int
    sent_at: Milliseconds
    records: Annotated[list[Record], msgspec.Meta(max_length=EXPORTED_MOST)]


def milliseconds(at: datetime) -> int:
    """An instant as phones write it."""
    return int(at.timestamp() * 1000)


def to_base64url(raw: bytes) -> str:
    """Bytes as phones read them, without padding."""
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def from_base64url(text: str) -> bytes:
    """Bytes as phones write them, without padding; nothing sensible is the empty string."""
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        return b""


def is_signed(public_key: bytes, signature: str, signed: bytes) -> bool:
    """Whether the holder of a key signed exactly these bytes."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(from_base64url(signature), signed)
    except (InvalidSignature, ValueError):
        return False
    return True
