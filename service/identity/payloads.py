"""What crosses the wire about people and their ways in."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec

Typed = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
Secret = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class NumberForm(msgspec.Struct):
    """The first page of signing in."""

    number: Typed
    next: str | None = None


class SecretForm(msgspec.Struct):
    """The second page of signing in."""

    number: Typed
    secret: Secret
    shared: bool = False
    community: int | None = None
    next: str | None = None


class ActivateForm(msgspec.Struct):
    """Choosing a PIN with a one-time code."""

    code: Annotated[str, msgspec.Meta(min_length=1, max_length=80)]
    secret: Secret
    again: Secret
    shared: bool = False


class ChangeSecretForm(msgspec.Struct):
    """Choosing another PIN."""

    old: Secret
    secret: Secret
    again: Secret


class SignIn(msgspec.Struct):
    """Sign in by JSON; the answer sets the session cookie."""

    number: Typed
    secret: Secret
    shared: bool = False
    community_id: int | None = None


class Activating(msgspec.Struct):
    """Choose a PIN with a one-time code, by JSON; the answer sets the session cookie."""

    code: Annotated[str, msgspec.Meta(min_length=1, max_length=80)]
    secret: Secret
    shared: bool = False


class ChangingSecret(msgspec.Struct):
    """Choose another PIN, by JSON."""

    old: Secret
    secret: Secret


class Me(msgspec.Struct):
    """The signed-in person."""

    community_id: int
    community: str
    member_id: UUID
    card_no: str
    name: str
    roles: list[str]
    organisations: list[UUID]


class SessionOut(msgspec.Struct):
    """One session of a person."""

    session_id: UUID
    device: str
    is_shared: bool
    started_at: datetime
    seen_at: datetime
    expires_at: datetime
    is_current: bool
    place: Literal["same", "other", "unknown"]
    """Whether it was opened from the network that asks now. Addresses are not kept."""


class Sessions(msgspec.Struct):
    """All open sessions of a person."""

    items: list[SessionOut]
