"""What the neighbour exchange offers the app."""

from service.exchange.actions import listing, timed
from service.exchange.api import board as board_api
from service.exchange.api import exchanges as exchanges_api
from service.kit.manifest import Manifest, Timed

MANIFEST = Manifest(
    name="exchange",
    handlers=[*board_api.HANDLERS, *exchanges_api.HANDLERS],
    timed=[
        Timed("exchange.expire_listings", 3600, listing.expire_listings),
        Timed("exchange.expire_answers", 3600, timed.expire_answers),
        Timed("exchange.settle_due", 600, timed.settle_due),
    ],
)
