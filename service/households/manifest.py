"""What households offer the app: to the keepers of classes, as JSON."""

from service.households import api
from service.kit.manifest import Manifest

MANIFEST = Manifest(name="households", handlers=api.HANDLERS)
