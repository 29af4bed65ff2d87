"""What repairs offer the app."""

from service.kit.manifest import Manifest, Nav, Timed
from service.repairs import actions, api, pages
from service.repairs.pages import cards
from service.repairs.rules import OFFICE

MANIFEST = Manifest(
    name="repairs",
    handlers=[*pages.HANDLERS, *api.HANDLERS],
    timed=[Timed("repairs.release_warranties", 600, actions.release_warranties)],
    nav=[
        Nav(
            "维修",
            "/desk/repairs",
            "wrench",
            frozenset(OFFICE),
            order=26,
            waiting=cards.waiting,
            also=("/desk/repairers",),
        )
    ],
    home_cards=[cards.my_repairs],
    staff_inbox=[cards.inbox],
)
