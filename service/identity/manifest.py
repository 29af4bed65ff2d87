"""What identity offers the app."""

from service.identity import api, pages
from service.kit.manifest import Manifest

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
        pages.end_session,
        pages.secret_page,
        pages.change_secret,
        api.sign_in,
        api.sign_out,
        api.activate,
        api.change_secret,
        api.me,
        api.my_sessions,
        api.end_my_session,
    ],
)
