"""What households offer the app: to the keepers of classes."""

from service.households import api, pages
from service.households.rules import KEEPERS
from service.kit.manifest import Manifest, Nav

MANIFEST = Manifest(
    name="households",
    handlers=[*api.HANDLERS, *pages.HANDLERS],
    nav=[Nav("家庭类别", pages.PAGE, "home", frozenset(KEEPERS), order=62, also=("/desk/entitlements",))],
    staff_inbox=[pages.inbox],
)
