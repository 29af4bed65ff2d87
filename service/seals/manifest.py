"""What the seals offer the app."""

from service.facts import YearClosed
from service.kit.manifest import Manifest, Timed
from service.seals import actions, api, pages

MANIFEST = Manifest(
    name="seals",
    handlers=[*pages.HANDLERS, *api.HANDLERS],
    subscribers={YearClosed: [actions.seal_year]},
    timed=[
        Timed("seals.read_on", 1, actions.read_on),
        Timed("seals.seal_daily", 300, actions.seal_daily),
        Timed("seals.patrol", 60, actions.patrol),
    ],
    staff_inbox=[pages.inbox],
)
