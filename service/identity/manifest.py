"""What identity offers the app."""

from service.identity import api, api_factor, pages, pages_factor
from service.identity.asking import ask_for_a_code
from service.kit.access import OFFICE
from service.kit.manifest import Manifest, Nav

MANIFEST = Manifest(
    name="identity",
    handlers=[
        pages.sign_in_page,
        pages.sign_in_number,
        pages.sign_in_secret,
        pages.sign_out,
        pages.activation_page,
        pages.activation_typed,
        pages.activate,
        pages.me_page,
        pages.devices_page,
        pages.end_session,
        pages.end_other_sessions,
        pages.secret_page,
        pages.change_secret,
        api.sign_in,
        api.sign_out,
        api.activate,
        api.change_secret,
        api.me,
        api.my_sessions,
        api.end_my_session,
        api.end_my_other_sessions,
        *pages_factor.HANDLERS,
        *api_factor.HANDLERS,
    ],
    nav=[Nav("验证码", pages_factor.DESK, "shield", OFFICE, 92)],
    staff_inbox=[pages_factor.inbox],
    prove=ask_for_a_code,
)
