"""What this slice offers the app."""

from service.kit.access import Role
from service.kit.manifest import Manifest, Nav, Timed
from service.payouts import api, api_files, pages, pages_files, timed

MANIFEST = Manifest(
    name="payouts",
    handlers=[*pages.HANDLERS, *pages_files.HANDLERS, *api.HANDLERS, *api_files.HANDLERS],
    nav=[
        Nav(
            "商户收款",
            pages.PAGE,
            "wallet",
            frozenset({Role.FINANCE, Role.APPROVER, Role.AUDITOR, Role.ADMIN}),
            order=72,
        )
    ],
    timed=[Timed("payouts.close_due", 600, timed.close_due)],
)
"""Labels in the sidebar are copy: they are translated where the sidebar is drawn."""
