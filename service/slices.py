"""The slices of the app, one line each. `./dev new-slice` adds a line; a test names a folder that is missing here."""

from collections.abc import Sequence
from importlib import import_module

from service.kit.manifest import Manifest

SLICES = (
    "identity",
    "communities",
    "records",
    "wishes",
    "hours",
    "wallet",
    "seals",
    "vouchers",
    "clearing",
    "exchange",
    "people",
    "imports",
    "desk",
    "notifications",
    "closing",
    "settings",
    "debts",
    "audits",
    "fund",
    "payouts",
    "households",
    "alarms",
    "repairs",
)
"""In the order in which their routes are registered."""

WITHOUT_ROUTES = ("communities", "records", "demo")
"""Foundation and data that offer functions, not pages."""


def manifests() -> Sequence[Manifest]:
    """What every slice offers."""
    return [import_module(f"service.{name}.manifest").MANIFEST for name in SLICES if name not in WITHOUT_ROUTES]
