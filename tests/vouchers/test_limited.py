"""One page of everything that is locked or limited: each kind with since and until, and gone when it ends."""

from datetime import datetime, timedelta
from uuid import uuid4

from service.identity import set_secret
from tests.cast import HERE
from tests.vouchers.conftest import scan_of
from tests.vouchers.test_devices import device, ticket, vouchers

__all__ = ["device", "ticket", "vouchers"]
PATH = "/api/desk/limited"


async def kinds(client):
    answer = await client.get(PATH)
    assert answer.status_code == 200, answer.text
    return {each["kind"]: each for each in answer.json()["items"]}


async def test_nothing_is_limited(wu):
    assert await kinds(wu) == {}
    assert "现在没有锁住的" in (await wu.get("/desk/limited")).text


async def test_ten_invalid_scans_lock_phone_and_clerk_and_time_opens_them(wu, phone, clock):
    for _ in range(10):
        await phone.post("/api/scans", json=scan_of("HTTPS://LINLI.EXAMPLE/V/R" + "2" * 31))
        clock.move(seconds=1)
    locked = await phone.post("/api/scans", json=scan_of("HTTPS://LINLI.EXAMPLE/V/R" + "2" * 31))
    assert locked.status_code == 429

    found = await kinds(wu)
    assert set(found) == {"phone_scans", "clerk_scans"}
    assert found["clerk_scans"]["card_no"] == "0012-0007"
    clock.move(minutes=9, seconds=49)
    assert (await phone.post("/api/scans", json=scan_of("x"))).status_code == 429
    assert set(await kinds(wu)) == {"phone_scans", "clerk_scans"}
    clock.move(seconds=1)
    assert await kinds(wu) == {}
    assert (await phone.post("/api/scans", json=scan_of("x"))).status_code != 429


async def test_a_card_until_it_is_unlocked(app, wu, phone, granny, clock):
    async with app.state.sessions.begin() as session:
        await set_secret(session, community_id=HERE, member_id=granny.actor.member_id, secret="314159", now=clock.now)
    [card] = (await wu.post("/api/cards", json={"cards": ["0012-0002"]})).json()["items"]
    for _ in range(5):
        asked = {"code": card["qr"], "voucher_id": "1", "pin": "271828", "nonce": str(uuid4())}
        await phone.post("/api/shop/card-uses", json=asked)

    found = (await kinds(wu))["card"]
    assert (found["card_no"], datetime.fromisoformat(found["since"])) == ("0012-0002", clock.now)
    assert "/desk/cards?card=0012-0002" in (await wu.get("/desk/limited")).text
    await wu.post(f"/api/cards/{granny.actor.member_id}/unlocking")
    assert await kinds(wu) == {}


async def test_a_phone_that_is_not_heard_first_halved_then_stopped(wu, device, clock):
    await device.call("sync", records=[])
    heard = clock.now
    clock.move(hours=24)
    silent = (await kinds(wu))["phone_silent"]
    assert (silent["name"], silent["shop"]) == ("柜台 1", "小李理发店")
    assert silent["until"] == (heard + timedelta(hours=72)).isoformat().replace("+00:00", "Z")
    clock.move(hours=48)
    assert set(await kinds(wu)) == {"phone_stopped"}
    await device.call("sync", records=[])
    assert await kinds(wu) == {}


async def test_a_frozen_voucher_and_a_frozen_lease(wu, device, vouchers):
    await device.snapshot()
    number = vouchers[0]["voucher_id"]
    frozen = await wu.post(f"/api/vouchers/{number}/freezing", json={"reason": "有人说是捡来的"})
    assert frozen.status_code in (200, 204), frozen.text
    device.seq += 1
    await device.call("sync", records=[device.scan(vouchers[1])])

    found = await kinds(wu)

    assert (found["voucher_frozen"]["voucher_id"], found["voucher_frozen"]["reason"]) == (number, "有人说是捡来的")
    assert found["lease_frozen"]["reason"] == "gap"
    page = (await wu.get("/desk/limited")).text
    assert f"/desk/vouchers/{number}" in page


async def test_only_staff(phone, li):
    assert (await phone.get(PATH)).status_code == 403
    assert (await li.get("/desk/limited")).status_code == 403
