"""What this slice offers the app."""

from service.debts import api, pages
from service.kit.access import Role
from service.kit.manifest import Manifest, Nav

MANIFEST = Manifest(
    name="debts",
    handlers=[*pages.HANDLERS, *api.HANDLERS],
    nav=[Nav("欠分", pages.PAGE, "alert", frozenset({Role.STAFF}), order=81)],
    staff_inbox=[pages.inbox],
)
"""Who reads the books finds it there; staff do not read them."""
