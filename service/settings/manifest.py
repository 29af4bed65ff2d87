"""What the settings offer the app."""

from service.kit.manifest import Manifest, Nav
from service.settings import api, pages
from service.settings.rules import READERS

MANIFEST = Manifest(
    name="settings",
    handlers=[*pages.HANDLERS, *api.HANDLERS],
    nav=[Nav("规则设置", "/desk/settings", "gear", frozenset(READERS), 90)],
    staff_inbox=[pages.inbox],
)
