"""The queue of a phone that is dead, brought to the desk."""

import json

import pytest

from tests.vouchers.test_devices import device, ticket, vouchers  # noqa: F401 (fixtures)

pytestmark = pytest.mark.anyio


def pieces(text, size=120):
    """As the codes on the phone's screen say it."""
    parts = [text[at : at + size] for at in range(0, len(text), size)]
    return [f"LINLI {number}/{len(parts)}\n{part}" for number, part in enumerate(parts, 1)]


async def bring(wu, text):
    return await wu.post("/api/device-exports", json={"text": text})


async def test_each_record_is_answered_once_however_often_it_is_brought(wu, device, vouchers):  # noqa: F811
    await device.snapshot()
    seen_at = (await wu.get("/api/devices")).json()["items"][0]["seen_at"]
    device.clock.move(hours=3)
    text = device.exported(device.scan(vouchers[0]), "{", device.scan(vouchers[1], quantity=7))

    first, again = await bring(wu, text), await bring(wu, text)

    assert first.status_code == 200, first.text
    assert [each["verdict"] for each in first.json()["verdicts"]] == ["accepted", "conflict"]
    assert [each["verdict"] for each in again.json()["verdicts"]] == ["already", "already"]
    assert (first.json()["unread"], first.json()["label"]) == (1, "柜台 1")
    [shown] = (await wu.get("/api/devices")).json()["items"]
    assert shown["seen_at"] == seen_at, "the phone itself has not heard us"


async def test_each_upload_of_a_long_queue_is_a_transaction_of_its_own(app, wu, device):  # noqa: F811
    answer = await bring(wu, device.exported(*["{"] * 401))

    assert (answer.status_code, answer.json()["unread"]) == (200, 401)
    async with app.state.engine.connect() as connection:
        lines = await connection.exec_driver_sql(
            "SELECT count(*), count(DISTINCT xmin::text) FROM audit WHERE action = 'vouchers.export_taken'"
        )
        assert lines.one() == (3, 3)


async def test_an_export_is_good_for_nothing_else(app, wu, device, vouchers):  # noqa: F811
    await device.snapshot()
    text = device.exported(device.scan(vouchers[0]))
    signature, _, body = text.partition("\n")
    device.clock.move(hours=2)

    answers = {
        what: await device.client.post(
            f"/api/devices/{what}",
            content=body,
            headers={"content-type": "application/json", "linli-signature": signature},
        )
        for what in ("snapshot", "lease", "sync")
    }

    assert [answers[what].status_code for what in ("snapshot", "lease", "sync")] == [422, 422, 200]
    assert "set-cookie" not in answers["sync"].headers
    [shown] = (await wu.get("/api/devices")).json()["items"]
    assert shown["seen_at"] is None, "the phone itself has not heard us"


async def test_what_the_phone_sends_later_after_all_was_here_before(wu, device, vouchers):  # noqa: F811
    await device.snapshot()
    record = device.scan(vouchers[0])
    await bring(wu, device.exported(record))

    later = (await device.call("sync", records=[record])).json()["verdicts"]

    assert [each["verdict"] for each in later] == ["already"]


async def test_codes_in_any_order_and_twice(wu, device, vouchers):  # noqa: F811
    await device.snapshot()
    codes = pieces(device.exported(device.scan(vouchers[0])))
    assert len(codes) > 3

    missing = await bring(wu, "\n".join(codes[1:]))
    whole = await bring(wu, "\r\n".join([codes[-1], *reversed(codes)]))

    assert missing.status_code == 422
    assert missing.json()["problems"] == {"text": "export_incomplete"}
    assert [each["verdict"] for each in whole.json()["verdicts"]] == ["accepted"]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda text: text.replace("柜台", "门口").replace("seq", "sep"), "export_unsigned"),
        (lambda text: text[5:], "export_unsigned"),
        (lambda text: text[:-5], "export_unreadable"),
        (lambda _: "hello", "export_unreadable"),
        (lambda _: "\x00\ud800\n{}", "export_unreadable"),
        (lambda text: text.replace('"community_id": ', '"community_id": 9'), "export_unsigned"),
        (lambda text: "x " + "\n".join(pieces(text)), "export_incomplete"),
    ],
)  # fmt: skip
async def test_what_the_phone_did_not_sign_is_refused_whole(wu, device, vouchers, change, why):  # noqa: F811
    await device.snapshot()
    text = change(device.exported(device.scan(vouchers[0])))
    answer = await wu.post(
        "/api/device-exports", content=json.dumps({"text": text}), headers={"content-type": "application/json"}
    )
    assert answer.status_code == 422
    if "\ud800" not in text:
        assert answer.json()["problems"] == {"text": why}


async def test_the_page_says_what_became_of_each_and_a_reload_books_nothing(wu, device, vouchers):  # noqa: F811
    await device.snapshot()
    text = device.exported(device.scan(vouchers[0]))

    first = await wu.post("/desk/devices/export", data={"text": text})
    again = await wu.post("/desk/devices/export", data={"text": text})
    wrong = await wu.post("/desk/devices/export", data={"text": "hello"})

    assert first.status_code == again.status_code == 200
    assert "收到 1 条记录" in first.text
    assert "收下了" in first.text
    assert "早就收下了" in again.text
    assert wrong.status_code == 422
    assert "读不出来" in wrong.text
    assert "hello" in wrong.text
