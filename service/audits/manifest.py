"""What the audits offer the app."""

from service.audits import api, pages
from service.audits.rules import READERS
from service.kit.manifest import Manifest, Nav

MANIFEST = Manifest(
    name="audits",
    handlers=[*pages.HANDLERS, *api.HANDLERS],
    nav=[
        Nav("抽查", pages.SAMPLES, "search", frozenset(READERS), 82),
        Nav("谁批了什么", "/desk/books/approvals", "people", frozenset(READERS), 83),
    ],
)
