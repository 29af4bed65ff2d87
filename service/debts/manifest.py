"""What this slice offers the app."""

from service.debts import api, owed, pages, timed
from service.kit.access import Role
from service.kit.manifest import Manifest, Nav, Timed

HOUR = 3600

MANIFEST = Manifest(
    name="debts",
    handlers=[*pages.HANDLERS, *api.HANDLERS, *owed.HANDLERS],
    timed=[Timed("debts.tell_owing", HOUR, timed.tell_owing), Timed("debts.collect_owed", HOUR, timed.collect_owed)],
    nav=[Nav("欠分", pages.PAGE, "alert", frozenset({Role.STAFF}), order=81)],
    staff_inbox=[pages.inbox],
)
"""Who reads the books finds it there; staff do not read them."""
