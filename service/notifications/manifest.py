"""What notifications offers the app."""

from service.kit.manifest import Manifest
from service.notifications import api, pages
from service.notifications.actions import send
from service.notifications.rules import POST

MANIFEST = Manifest(
    name="notifications",
    handlers=[pages.messages_page, pages.read_all, api.my_messages, api.read_all],
    readers={fact: [send] for fact in POST},
)
