"""What the people pages offer the app."""

from service.kit.access import OFFICE, Role
from service.kit.manifest import Manifest, Nav
from service.people import api, pages, pages_organisations

MANIFEST = Manifest(
    name="people",
    handlers=[
        pages.people,
        pages.export_xlsx,
        pages.export_csv,
        pages.person,
        pages.contact,
        pages.give_role,
        pages.end_role,
        pages.end_sessions,
        pages.end_session,
        pages.slip,
        pages_organisations.organisations,
        pages_organisations.open_organisation,
        pages_organisations.organisation,
        api.people,
        api.person,
        api.contact,
        api.give_role,
        api.end_role,
        api.end_sessions,
        api.end_session,
        api.slip,
        api.organisations,
        api.open_organisation,
        api.organisation,
    ],
    nav=[
        Nav(
            "人员",
            "/desk/people",
            "people",
            frozenset({Role.STAFF, Role.APPROVER, Role.ADMIN}),
            70,
            also=("/desk/passbooks",),
        ),
        Nav("单位和商户", "/desk/organisations", "shop", OFFICE, 74),
    ],
)
