"""A receipt for every kind of line that a passbook can have, in two taps, checked by a stranger in every form it has."""

import re
from pathlib import Path
from typing import Any

import pytest
from litestar import Litestar

import ledger
from service import chart
from tests.cast import HERE, Client, TownClock
from tests.seals.test_seals import checked
from tests.vouchers.conftest import give, offer_of
from tests.wallet.test_passbook import credit, service_of

__all__ = ["give", "offer_of"]
pytestmark = pytest.mark.anyio


@pytest.fixture
async def lines(
    app: Litestar, chen: Client, wu: Client, feng: Client, he: Client, give: Any, offer_of: Any, clock: TownClock
) -> None:
    """A service and its correction, points brought over, a voucher taken and given back, a gift."""
    await credit(app, wu, [service_of(chen, "a", clock), service_of(chen, "b", clock)], clock.now)
    [found] = (await he.get("/api/books/journals", params={"reference": "test:b"})).json()["items"]
    undone = await feng.post(f"/api/books/journals/{found['journal_id']}/reversal", json={"mistake": "wrong_person"})
    assert undone.status_code == 200
    await give(chen, 100)
    taken = await chen.post(f"/api/offers/{await offer_of()}/vouchers", json={}, headers={"idempotency-key": "one"})
    assert taken.status_code == 201
    number = taken.json()["voucher_id"]
    assert (await chen.post(f"/api/vouchers/{number}/cancellation", json={})).status_code < 300
    async with app.state.sessions.begin() as session:
        gift = ledger.Leg(chart.member(chen.actor.member_id), chart.CARE, chart.POINT, 100)
        await ledger.post(session, HERE, ledger.Journal("gift", "gift", (gift,), chen.actor.member_id), now=clock.now)
    assert (await he.post("/api/books/seals")).status_code == 200


async def test_every_line_is_proved_in_two_taps(lines: None, chen: Client, anon: Client, tmp_path: Path) -> None:
    (tmp_path / "seal.json").write_bytes((await anon.get(f"/api/seals/{HERE}/1")).content)
    (tmp_path / "linli_check.py").write_bytes((await anon.get("/seals/linli_check.py")).content)
    reasons = set()
    for unit in ("point", "minute"):
        passbook = await chen.get(f"/passbook?unit={unit}")
        for line in (await chen.get(f"/api/wallet/statement?unit={unit}")).json()["items"]:
            first = f"/passbook/lines/{line['seq']}"
            assert f"{first}?unit={unit}" in passbook.text
            second = re.search(r'href="(/passbook/lines/\d+/proof)"', (await chen.get(f"{first}?unit={unit}")).text)
            assert second is not None
            page = await chen.get(second[1])
            assert page.status_code == 200, line["reason"]
            (tmp_path / "receipt.txt").write_text(" ".join(re.findall(r"<span>([A-Z0-9:]{1,8})</span>", page.text)))
            (tmp_path / "proof.json").write_bytes((await chen.get(f"/api/wallet/lines/{line['seq']}/proof")).content)
            assert checked(tmp_path, "receipt.txt", "seal.json") == (0, ""), line["reason"]
            assert checked(tmp_path, "proof.json") == (0, ""), line["reason"]
            assert "没有您的姓名和电话" in page.text
            shown = "支出" if line["amount"] < 0 else "存入"
            assert shown in page.text
            reasons.add(line["reason"])
    assert reasons >= {"service", "correction", "opening_balance", "voucher_issued", "voucher_cancelled", "gift"}
