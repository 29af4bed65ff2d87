"""What the wishes offer the app."""

from service.kit.access import Role
from service.kit.manifest import Manifest, Nav, Timed
from service.wishes import actions
from service.wishes.api import desk as desk_api
from service.wishes.api import resident as resident_api
from service.wishes.pages import asking, cards, desk, desk_new, desk_wish, helping, wall

MANIFEST = Manifest(
    name="wishes",
    handlers=[
        *wall.HANDLERS,
        *asking.HANDLERS,
        *helping.HANDLERS,
        *desk.HANDLERS,
        *desk_wish.HANDLERS,
        *desk_new.HANDLERS,
        *resident_api.HANDLERS,
        *desk_api.HANDLERS,
    ],
    timed=[
        Timed("wishes.release_overdue_claims", 600, actions.release_overdue_claims),
        Timed("wishes.expire_old", 3600, actions.expire_old_wishes),
        Timed("wishes.remind_of_confirmation", 3600, actions.remind_of_confirmation),
    ],
    nav=[
        Nav(
            "心愿",
            "/desk/wishes",
            "heart",
            frozenset({Role.STAFF, Role.APPROVER, Role.AUDITOR}),
            order=20,
            waiting=cards.waiting,
        )
    ],
    home_cards=[cards.my_claims, cards.my_wishes],
    staff_inbox=[cards.inbox],
    unfinished=[cards.unfinished],
)
"""The sidebar's label is copy: _("心愿")."""
