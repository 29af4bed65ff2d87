"""Who may seal, who closes an alarm, and what a seal's balances mean. Pure."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from service.chart import MINUTE, POINT
from service.kit.access import Role
from service.kit.refusals import Conflict, NotFound

READERS = (Role.AUDITOR, Role.FINANCE, Role.APPROVER, Role.ADMIN)
"""Who may read the books, and seal them."""
WATCHERS = (Role.AUDITOR, Role.ADMIN)
"""Who is told of an alarm and may close it."""
HELD_BY_PEOPLE = ("member", "group")
PUT_ASIDE = "escrow"
OWED_TO_SHOPS = "merchant"
POOLS = "pool"


class AlarmNotFound(NotFound):
    """No such alarm in this community, or it is closed."""

    code: ClassVar[str] = "seals.alarm_not_found"


class AlarmStands(Conflict):
    """Nothing is sealed while an alarm is open."""

    code: ClassVar[str] = "seals.alarm_stands"


class NotYours(NotFound):
    """The entry is not in this person's passbook."""

    code: ClassVar[str] = "seals.not_yours"


def circulation(totals: Sequence[str]) -> Mapping[str, Mapping[str, int]]:
    """From a seal's balances: what people hold, what is put aside, pooled or with shops, by unit."""
    balances: dict[tuple[str, str], int] = {}
    for total in totals:
        kind, unit, amount = total.rsplit(" ", 2)
        balances[kind, unit] = int(amount)
    return {
        unit: {
            "people": sum(balances.get((kind, unit), 0) for kind in HELD_BY_PEOPLE),
            "aside": balances.get((PUT_ASIDE, unit), 0),
            "pools": balances.get((POOLS, unit), 0),
            "shops": balances.get((OWED_TO_SHOPS, unit), 0),
        }
        for unit in (POINT, MINUTE)
    }
