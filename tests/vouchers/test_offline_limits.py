"""What phones may take without a network are settings of each community: changed by two, from a day on, told to the phone."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

import redemption
from service.communities import change_setting
from service.kit.clock import local_day
from tests.vouchers.test_devices import device, ticket, vouchers

__all__ = ["device", "ticket", "vouchers"]


async def test_two_people_change_a_limit_and_the_phone_learns_it_on_its_day(clock, device, vouchers, jiang, feng):
    first = await device.snapshot()
    assert first["floor"] == {
        "vouchers": 20, "fen": 30_000, "voucher_fen": 3000, "soft_hours": 24, "hard_hours": 72,
    }  # fmt: skip
    day = (local_day(clock.now) + timedelta(days=1)).isoformat()
    for name, value in (("offline_vouchers_max", 5), ("offline_hard_hours", 12), ("offline_lease_hours", 6)):
        what = {"value": value, "effective_from": day, "reason": "上月赔得多"}
        asked = await jiang.post(f"/api/settings/{name}/changes", json=what)
        assert asked.status_code == 201, asked.text
        agreed = await feng.post(f"/api/settings/changes/{asked.json()['change_id']}/approval")
        assert agreed.status_code == 200, agreed.text

    assert (await device.snapshot())["floor"] == first["floor"]
    await device.call("lease", act="return", seq=0)
    clock.move(days=1)
    after = await device.snapshot()

    assert (after["floor"]["vouchers"], after["floor"]["hard_hours"]) == (5, 12)
    assert after["lease"]["ends_at"] - after["server_time"] == 6 * 3_600_000


async def test_what_a_phone_is_told_is_kept_before_it_is_told(app, device, clock):
    await device.snapshot()

    async with app.state.sessions() as session:
        told = await session.execute(
            sa.text("SELECT given_at, vouchers, fen, voucher_fen FROM redemption.device_floor")
        )
        assert [tuple(row) for row in told] == [(clock.now, 20, 30_000, 3000)]


@pytest.mark.parametrize(("fen_max", "status"), [(2000, 201), (1999, 422)])
async def test_an_offer_of_roaming_vouchers_is_measured_by_the_days_limit(app, clock, wu, zheng, town, fen_max, status):
    async with app.state.sessions.begin() as session:
        await change_setting(
            session,
            actor=zheng.actor,
            name="offline_voucher_fen_max",
            value=fen_max,
            effective_from=local_day(clock.now),
            now=clock.now,
        )
    terms = {
        "sponsor": str(town.organisations["sponsor"]), "shops": [str(town.organisations["barbershop"])], "title": "豆浆",
        "kind": redemption.OfferKind.GOODS.value, "price_points": 20, "stock": 10, "offline": "roaming",
        "valid_from": local_day(clock.now).isoformat(), "valid_until": local_day(clock.now).isoformat(),
    }  # fmt: skip

    made = await wu.post("/api/offers", json=terms)

    assert made.status_code == status, made.text
