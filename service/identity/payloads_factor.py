"""What crosses the wire about the second factor."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec

from service.identity.payloads import Secret
from service.identity.rules_factor import RemovalReason

Code = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]


class PinForm(msgspec.Struct):
    """The PIN once more, before a secret is shown."""

    secret: Secret


class CodeForm(msgspec.Struct):
    """A code of the authenticator, or a recovery code."""

    code: Code


class RemovalForm(msgspec.Struct):
    """Why somebody's second factor is taken away."""

    reason: RemovalReason


class FactorOut(msgspec.Struct):
    """How one stands with the second factor, here and today."""

    is_required: bool
    hours: int
    since: datetime | None
    proven_until: datetime | None
    recovery_codes_left: int


class EnrolmentOut(msgspec.Struct):
    """What an authenticator needs, told once."""

    secret: str
    uri: str


class RecoveryCodesOut(msgspec.Struct):
    """Ten codes that are good once each, told once."""

    codes: list[str]


class WaitingOut(msgspec.Struct):
    """A request to take a second factor away."""

    removal_id: UUID
    reason: str
    proposed_by: UUID
    proposed_at: datetime


class OfficeFactorOut(msgspec.Struct):
    """One of the office."""

    member_id: UUID
    card_no: str
    name: str
    since: datetime | None
    waiting: WaitingOut | None


class OfficeFactorsOut(msgspec.Struct):
    """The office, and whether a second factor is asked of it today."""

    is_required: bool
    hours: int
    items: list[OfficeFactorOut]


class RemovalOut(msgspec.Struct):
    """A request that was made."""

    removal_id: UUID
