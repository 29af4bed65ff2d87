"""The office's page of records that people look at: one writes what they think, another decides."""

from uuid import UUID, uuid4

import pytest

import redemption
from tests.cast import client_of
from tests.vouchers.phone import Phone

PAGE = "/desk/held"


@pytest.fixture
async def held(app, clock, town, li, wu, barber, give, offer_of):
    """The address of a held record: somebody unknown scanned Li's haircut with the barber's phone."""
    await give(li, 100)
    offer_id = await offer_of(offline_class=redemption.OfflineClass.LEASED)
    voucher = (await li.post(f"/api/offers/{offer_id}/vouchers", json={})).json()
    ticket = (await wu.post("/api/device-tickets", json={"shop": str(town.organisations["barbershop"])})).json()
    async with client_of(app, None) as anonymous:
        phone = Phone(anonymous, clock, barber.actor.member_id)
        phone.device_id = UUID((await phone.enrol(ticket["ticket"])).json()["device_id"])
        await phone.snapshot()
        [said] = (await phone.call("sync", records=[phone.scan(voucher, clerk=str(uuid4()))])).json()["verdicts"]
    assert said["verdict"] == "review"
    return f"{PAGE}/{phone.device_id}/{said['nonce']}"


async def test_one_writes_and_another_decides(held, wu, feng, he, zhou):
    assert "理发一次" in (await wu.get(PAGE)).text
    assert "等办事员写意见" in (await feng.get(PAGE)).text
    assert (await zhou.get(PAGE)).status_code in (403, 404)
    assert f"{PAGE}" in (await wu.get("/desk")).text

    empty = await wu.post(f"{held}/propose", data={"note": "监控里看得到", "_key": "a"})
    assert empty.status_code == 422
    assert "监控里看得到" in empty.text or "请" in empty.text
    asked = {"is_paid": "yes", "note": "监控里看得到", "_key": "b"}
    assert [(await wu.post(f"{held}/propose", data=asked)).status_code for _ in range(2)] == [303, 303]

    shown = (await feng.get(PAGE)).text
    assert "监控里看得到" in shown
    assert "退回重写" in shown
    assert "退回重写" not in (await he.get(PAGE)).text
    back = await feng.post(f"{held}/decide", data={"is_agreed": "no", "_key": "c"})
    assert back.headers["location"].endswith("review_put_back")
    await wu.post(f"{held}/propose", data={"is_paid": "no", "note": "没有这个店员", "_key": "d"})
    agreed = await feng.post(f"{held}/decide", data={"is_agreed": "yes", "_key": "e"})
    assert agreed.headers["location"].endswith("review_decided")

    assert "没有要核对的离线记录" in (await wu.get(PAGE)).text
    decided = (await wu.get(f"{PAGE}?view=decided")).text
    assert "没有这个店员" in decided
    assert "不付给店里" in decided
    late = await feng.post(f"{held}/decide", data={"is_agreed": "no", "_key": "f"})
    assert late.status_code == 409
