"""What a conflict of offline scans took from the fund stands on the public account, which still equals the ledger."""

from datetime import timedelta
from uuid import UUID

import pytest

import redemption
from service.kit.issuers import code_keys
from tests.cast import HERE, KEYRING, client_of
from tests.vouchers.conftest import HAIRCUT, code_of, scan_of
from tests.vouchers.phone import Phone


@pytest.mark.parametrize("given_fen", [0, 500, 5_000])
async def test_the_public_account_says_what_was_lost(
    app, anon, town, clock, li, wu, barber, phone, give, offer_of, given_fen
):
    if given_fen:
        gift = {"amount_fen": given_fen, "document": "收据 1", "received_on": clock.now.date().isoformat()}
        assert (await wu.post("/api/fund/donations", json=gift)).status_code == 201
    await give(li, 100)
    offer_id = await offer_of(offline_class=redemption.OfflineClass.ROAMING)
    voucher = (await li.post(f"/api/offers/{offer_id}/vouchers", json={})).json()
    ticket = (await wu.post("/api/device-tickets", json={"shop": str(town.organisations["barbershop"])})).json()
    async with client_of(app, None) as anonymous:
        dark = Phone(anonymous, clock, barber.actor.member_id)
        dark.device_id = UUID((await dark.enrol(ticket["ticket"])).json()["device_id"])
        await dark.snapshot()
        clock.move(minutes=5)
        used = await phone.post("/api/scans", json=scan_of(code_of(voucher, clock.now)))
        assert used.json()["state"] == "ok"
        clock.move(minutes=5)
        paper = redemption.signed_code(
            code_keys(KEYRING, clock.now),
            community_id=HERE,
            voucher_id=int(voucher["voucher_id"]),
            code_seq=1,
            offer_id=offer_id,
            expires_at=clock.now + timedelta(days=5),
            quantity=1,
        )
        record = dark.scan(voucher, code=paper, step=None, lease=None, **{"class": 2})
        [verdict] = (await dark.call("sync", records=[record])).json()["verdicts"]
    assert (verdict["verdict"], verdict["bearer"]) == ("conflict", "fund")

    account = (await anon.get(f"/api/fund/{HERE}/account")).json()
    page = await anon.get(f"/fund/{HERE}")

    owed = HAIRCUT["payable_fen"]
    assert account["lost_uses"] == 1
    assert account["lost_fund_fen"] == min(given_fen, owed)
    assert account["lost_fund_fen"] + account["lost_other_fen"] == owed
    assert account["after_fen"] == given_fen - account["lost_fund_fen"]
    assert account["is_whole"] is True
    assert "店家照付" in page.text
    assert "和账本一分不差" in page.text
