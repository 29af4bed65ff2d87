"""What repairs offer the app: JSON, and the end of warranties."""

from service.kit.manifest import Manifest, Timed
from service.repairs import actions, api

MANIFEST = Manifest(
    name="repairs",
    handlers=api.HANDLERS,
    timed=[Timed("repairs.release_warranties", 600, actions.release_warranties)],
)
