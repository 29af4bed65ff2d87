"""What the seals offer the app."""

import ledger
from service.facts import YearClosed
from service.kit.manifest import Manifest, Timed, Watch
from service.seals import actions, api, pages

MANIFEST = Manifest(
    name="seals",
    handlers=[*pages.HANDLERS, *api.HANDLERS],
    subscribers={YearClosed: [actions.seal_year]},
    timed=[
        Timed("seals.seal_daily", 300, actions.seal_daily),
        Timed("seals.patrol", 60, actions.patrol),
    ],
    watches=[Watch("seals.read_on", actions.read_on, ledger.seconds_to_next_look)],
    staff_inbox=[pages.inbox],
)
