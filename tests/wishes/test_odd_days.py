"""Days out of all reason, in what a helper reports."""

import pytest

from tests.cast import Client
from tests.wishes.acts import claimed, seen

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("day", ["0001-01-01", "1899-12-31", "9999-12-31"])
async def test_help_on_such_a_day_is_refused_in_words(li: Client, wu: Client, chen: Client, day: str) -> None:
    wish = await claimed(li, wu, chen)
    form = {"day": day, "start": "23:59", "minutes": "60", "note": "换好了，试过了"}

    by_page = await chen.post(f"/wishes/{wish}/serve", data=form)
    by_api = [
        await chen.post(
            f"/api/wishes/{wish}/serve", json={"started_at": f"{day}T23:59:00{zone}", "minutes": 60, "note": "换好了"}
        )
        for zone in ("Z", "+08:00", "-12:00")
    ]

    assert by_page.status_code in (409, 422)
    assert form["note"] in by_page.text
    assert {answer.status_code for answer in by_api} <= {400, 409, 422}
    assert (await seen(chen, wish))["state"] == "claimed"
