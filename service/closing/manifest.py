"""What this slice offers the app."""

from service.closing import actions, api, pages, pages_year
from service.kit.manifest import Manifest, Timed

DRAW_UP_SECONDS = 5

MANIFEST = Manifest(
    name="closing",
    handlers=[*pages.HANDLERS, *pages_year.HANDLERS, *api.HANDLERS],
    timed=[Timed("closing.draw_up_years", DRAW_UP_SECONDS, actions.draw_up_years)],
    staff_inbox=[pages.inbox],
)
