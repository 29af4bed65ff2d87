"""What the desk offers the app."""

from service.desk import api, pages
from service.kit.access import OFFICE, Role
from service.kit.manifest import Manifest, Nav

MANIFEST = Manifest(
    name="desk",
    handlers=[pages.desk, pages.audit_page, api.inbox, api.audit_log],
    nav=[
        Nav("待办", "/desk", "list", OFFICE, 0),
        Nav("操作记录", "/desk/audit", "shield", frozenset({Role.AUDITOR, Role.ADMIN}), 95),
    ],
)
