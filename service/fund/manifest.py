"""What the fund offers the app."""

from service.fund.api import money as money_api
from service.fund.api import sales as sales_api
from service.fund.pages import desk, money, public, shop
from service.fund.rules import READERS
from service.kit.manifest import Manifest, Nav

MANIFEST = Manifest(
    name="fund",
    handlers=[
        *shop.HANDLERS,
        *desk.HANDLERS,
        *money.HANDLERS,
        *public.HANDLERS,
        *sales_api.HANDLERS,
        *money_api.HANDLERS,
    ],
    nav=[Nav("公益基金", desk.PAGE, "heart", frozenset(READERS), order=74)],
    staff_inbox=[desk.inbox, money.inbox],
)
