"""What this slice offers the app."""

from service.alarms import api, pages, timed
from service.alarms.queries import alarms_inbox, count_waiting
from service.alarms.rules import CALL_READERS, READERS
from service.kit.manifest import Manifest, Nav, Timed

HOUR = 3600

MANIFEST = Manifest(
    name="alarms",
    handlers=[*pages.HANDLERS, *api.HANDLERS],
    nav=[
        Nav("先看再结", pages.PAGE, "search", frozenset(READERS), order=73, waiting=count_waiting),
        Nav("随机回访", pages.CALLS, "people", frozenset(CALL_READERS), order=74),
    ],
    timed=[
        Timed("alarms.watch", HOUR, timed.watch),
        Timed("alarms.draw_calls", HOUR, timed.draw_calls),
    ],
    staff_inbox=[alarms_inbox],
)
"""Labels in the sidebar are copy: they are translated where the sidebar is drawn."""
