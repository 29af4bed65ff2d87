"""What the neighbour exchange offers the app."""

from service.exchange.actions import listing, timed
from service.exchange.api import board as board_api
from service.exchange.api import exchanges as exchanges_api
from service.exchange.api import gifts as gifts_api
from service.exchange.pages import board, cards, desk, exchanges, gifts
from service.exchange.rules import READERS
from service.kit.manifest import Manifest, Nav, Timed

MANIFEST = Manifest(
    name="exchange",
    handlers=[
        *board.HANDLERS,
        *exchanges.HANDLERS,
        *gifts.HANDLERS,
        *desk.HANDLERS,
        *board_api.HANDLERS,
        *exchanges_api.HANDLERS,
        *gifts_api.HANDLERS,
    ],
    timed=[
        Timed("exchange.expire_listings", 3600, listing.expire_listings),
        Timed("exchange.expire_answers", 3600, timed.expire_answers),
        Timed("exchange.settle_due", 600, timed.settle_due),
    ],
    nav=[Nav("邻里交换", "/desk/exchange", "hand", frozenset(READERS), order=25, waiting=cards.waiting)],
    home_cards=[cards.my_next],
    staff_inbox=[cards.inbox],
    unfinished=[cards.unfinished],
)
