"""What this slice offers the app."""

from service.debts import api, pages
from service.kit.manifest import Manifest

MANIFEST = Manifest(name="debts", handlers=[*pages.HANDLERS, *api.HANDLERS], staff_inbox=[pages.inbox])
