"""What this slice offers the app."""

from service.kit.access import Role
from service.kit.manifest import Manifest, Nav, Timed
from service.payouts import api, api_departures, api_files, pages, pages_departures, pages_files, timed
from service.payouts.bank import api as api_bank
from service.payouts.bank import pages as pages_bank

MANIFEST = Manifest(
    name="payouts",
    handlers=[
        *pages.HANDLERS,
        *pages_files.HANDLERS,
        *pages_departures.HANDLERS,
        *pages_bank.HANDLERS,
        *api.HANDLERS,
        *api_files.HANDLERS,
        *api_departures.HANDLERS,
        *api_bank.HANDLERS,
    ],
    nav=[
        Nav(
            "商户收款",
            pages.PAGE,
            "wallet",
            frozenset({Role.FINANCE, Role.APPROVER, Role.AUDITOR, Role.ADMIN}),
            order=72,
        )
    ],
    staff_inbox=[pages_bank.inbox],
    timed=[
        Timed("payouts.close_due", 600, timed.close_due),
        Timed("payouts.carry_departures", 60, timed.carry_departures),
    ],
)
"""Labels in the sidebar are copy: they are translated where the sidebar is drawn."""
