"""The office's page of records that people look at: one writes what they think, another decides."""

from uuid import UUID, uuid4

import pytest

import redemption
from tests.audits.test_approvals import one_household, plant
from tests.cast import client_of
from tests.vouchers.conftest import as_owner
from tests.vouchers.phone import Phone

PAGE = "/desk/held"


@pytest.fixture
def hold(app, clock, town, li, wu, barber, give, offer_of):
    """Somebody unknown scans Li's haircut with the barber's phone, so often: the addresses of what is held."""

    async def hold(times: int = 1) -> list[str]:
        await give(li, 100)
        offer_id = await offer_of(offline_class=redemption.OfflineClass.LEASED)
        voucher = (await li.post(f"/api/offers/{offer_id}/vouchers", json={})).json()
        ticket = (await wu.post("/api/device-tickets", json={"shop": str(town.organisations["barbershop"])})).json()
        async with client_of(app, None) as anonymous:
            phone = Phone(anonymous, clock, barber.actor.member_id)
            phone.device_id = UUID((await phone.enrol(ticket["ticket"])).json()["device_id"])
            await phone.snapshot()
            records = [phone.scan(voucher, clerk=str(uuid4())) for _ in range(times)]
            said = (await phone.call("sync", records=records)).json()["verdicts"]
        assert {each["verdict"] for each in said} == {"review"}
        return [f"{PAGE}/{phone.device_id}/{each['nonce']}" for each in said]

    return hold


@pytest.fixture
async def held(hold):
    """The address of one held record."""
    return (await hold())[0]


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


async def test_who_serves_at_the_shop_says_nothing(held, app, town, wu, barber):
    """The shop's own people do not say that it is paid."""
    await as_owner(app, town, wu)
    refused = await wu.post(f"{held}/propose", data={"is_paid": "yes", "note": "监控里看得到", "_key": "x"})
    assert refused.status_code == 409
    assert "您自己在这家店做事" in refused.text


async def test_who_lives_with_the_member_says_nothing(held, li, wu, town_database):
    await plant(town_database, *one_household(li, wu))
    refused = await wu.post(f"{held}/propose", data={"is_paid": "yes", "note": "监控里看得到", "_key": "x"})
    assert refused.status_code == 409
    assert "自己家的券" in refused.text


async def test_a_page_at_a_time_by_shop_and_reason_and_as_a_file(hold, wu, feng, town):
    """Fifty to a page however many wait; the next page begins where this one ended."""
    await hold(61)
    first = (await wu.get("/api/offline-reviews")).json()
    second = (await wu.get(f"/api/offline-reviews?after={first['next']}")).json()
    assert (len(first["items"]), len(second["items"]), second["next"]) == (50, 11, None)
    assert len({each["nonce"] for each in first["items"] + second["items"]}) == 61
    shop = town.organisations["barbershop"]
    assert len((await wu.get(f"/api/offline-reviews?shop={shop}&reason=clerk_unknown")).json()["items"]) == 50
    assert (await wu.get("/api/offline-reviews?reason=forged")).json()["items"] == []
    assert (await wu.get(f"/api/offline-reviews?shop={uuid4()}")).json()["items"] == []
    page = (await feng.get(PAGE)).text
    assert f"{PAGE}?after=" in page
    assert page.count('class="card narrow"') == 50
    file = await feng.get(f"{PAGE}.csv")
    assert len(file.text.strip().splitlines()) == 62
    assert (await wu.get("/api/offline-reviews?after=x")).status_code == 422
