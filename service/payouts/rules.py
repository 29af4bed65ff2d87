"""Who may do what, what an account number looks like, and until when a shop's running period goes. Pure."""

import re
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import ClassVar
from uuid import UUID, uuid5

from redemption import Rhythm
from service.kit.access import Role
from service.kit.clock import day_begins, local_day
from service.kit.refusals import Invalid, NotFound

READERS = (Role.FINANCE, Role.APPROVER, Role.AUDITOR, Role.ADMIN)
PROPOSERS = (Role.FINANCE,)
DECIDERS = (Role.FINANCE, Role.APPROVER)
TAIL = 4


class FileKind(StrEnum):
    """What a file for the bank is written as."""

    CSV = "csv"
    XLSX = "xlsx"


class ShopNotFound(NotFound):
    """No such shop in this community."""

    code: ClassVar[str] = "payouts.shop_not_found"


class AccountNotFound(NotFound):
    """No such account in this community."""

    code: ClassVar[str] = "payouts.account_not_found"


class FileNotFound(NotFound):
    """No such file for the bank in this community."""

    code: ClassVar[str] = "payouts.file_not_found"


def key_for(owner: UUID, text: str) -> UUID:
    """The library's key for what a person does by `text`: the same for the same person and text."""
    return uuid5(owner, text)


def payment_mark(file_number: int, line_no: int) -> str:
    """What a payment carries through the bank, so that its list can be compared: once in a community for ever."""
    return f"LL{file_number:06}-{line_no:03}"


def account_number(typed: str) -> str:
    """A bank account's digits without the spaces people write; raises Invalid unless there are 8 to 30."""
    digits = re.sub(r"[\s-]", "", typed)
    if not re.fullmatch(r"[0-9]{8,30}", digits):
        raise Invalid({"account": "account_number"})
    return digits


def account_context(community_id: int, payee_id: object) -> str:
    """Where a sealed number belongs: moved to another row it cannot be opened."""
    return f"redemption.payee/{community_id}/{payee_id}/account"


def close_key(shop_id: UUID, until: datetime) -> UUID:
    """The key of what the calendar closes: the same for the same shop and end, however often and wherever it runs."""
    return uuid5(shop_id, f"settled until {until.isoformat()}")


def period_end(rhythm: Rhythm, now: datetime) -> datetime:
    """Where the last whole period ends: last midnight, or the midnight before Monday, on the community's clock."""
    today: date = local_day(now)
    return day_begins(today if rhythm is Rhythm.DAILY else today - timedelta(days=today.weekday()))
