"""Every page of the slice opens, in both languages, with and without something to show."""

from tests.vouchers.conftest import scan_of

PAGES = {
    "li": [
        "/home",
        "/offers",
        "/vouchers",
        "/vouchers?tab=used",
        "/vouchers?tab=over",
        "/vouchers/{voucher}",
        "/vouchers/{voucher}/code",
        "/vouchers/{voucher}/print",
        "/vouchers/{voucher}/cancel",
        "/V/{short}",
        "/offers/{offer}",
        "/passbook",
        "/passbook/service",
        "/passbook/print",
    ],
    "phone": ["/shop", "/shop/choose", "/shop/today", "/V/{short}", "/shop/uses/{voucher}/1/undo"],
    "zhou": ["/shop", "/shop/today", "/shop/settlements"],
    "wu": [
        "/desk/offers",
        "/desk/offers?view=draft",
        "/desk/offers?view=withdrawn",
        "/desk/offers/new",
        "/desk/offers/{offer}",
        "/desk/vouchers",
        "/desk/vouchers?card=0012-0001",
        "/desk/uses",
        "/desk/vouchers/{voucher}/use",
        "/desk/papers",
        "/desk/cards",
        "/desk/cards?card=0012-0001",
        "/desk/papers/choose?new=1",
        "/desk/papers/sample",
    ],
    "qian": ["/desk/budgets", "/desk/settlements", "/desk/settlements?view=paid", "/desk/books"],
    "anon": ["/V/{short}"],
}


async def test_every_page_opens(li, phone, zhou, wu, qian, anon, haircut):
    clients = {"li": li, "phone": phone, "zhou": zhou, "wu": wu, "qian": qian, "anon": anon}
    named = {"voucher": haircut["voucher_id"], "short": haircut["short_code"], "offer": haircut["offer_id"]}

    for step in range(2):
        for name, paths in PAGES.items():
            for path in paths:
                for language in ("zh-CN", "en"):
                    address = path.format(**named)
                    answer = await clients[name].get(address, headers={"accept-language": language})
                    assert answer.status_code in (200, 303), f"{name} {address} {answer.status_code}"
                    assert "refusal." not in answer.text
                    assert ">state." not in answer.text
                    assert "reason." not in answer.text.replace("reason-", "")
        if step == 0:
            assert (await phone.post("/api/scans", json=scan_of(haircut["qr"]))).status_code == 200
