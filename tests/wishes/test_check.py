"""The page before a wish goes to staff: it survives the way back, and nothing on it throws away what was typed."""

from tests.cast import Client
from tests.wishes.acts import BULB


async def test_the_check_page_is_kept_by_this_browser_alone_and_offers_no_switch(li: Client) -> None:
    empty = await li.get("/wishes/new")
    check = await li.post("/wishes/check", data=BULB)
    again = await li.post("/wishes/new", data=BULB)

    for page in (check, again):
        assert page.status_code == 200
        assert page.headers["cache-control"] == "private, no-cache"
        assert "换厨房的灯泡" in page.text
        assert 'action="/display"' not in page.text
    assert 'action="/display"' in empty.text
    assert empty.headers["cache-control"] == "no-store"
