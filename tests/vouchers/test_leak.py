"""The leak drill: a key got out. Its codes are dead at once, vouchers have new ones, and no balance moves."""

import argparse
from datetime import timedelta
from uuid import uuid4

import pytest

import ledger
import redemption
from service.cli import code_keys
from service.kit.crypto import KEY_FILE, load_keyring, save_keyring
from service.kit.edge import DEVICE_COOKIE
from tests.cast import HERE, KEYRING
from tests.vouchers.conftest import scan_of


@pytest.fixture
def folder(app, tmp_path, monkeypatch):
    """The service reads its keys from a folder, as an installation does, and the commands know the same one."""
    save_keyring(KEYRING, tmp_path / "keys")
    monkeypatch.setattr(app.state, "keyring", load_keyring(tmp_path / "keys"))
    monkeypatch.setenv("LINLI_KEYS_DIR", str(tmp_path / "keys"))
    monkeypatch.setenv("LINLI_DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "keys"


async def books(app):
    """Every balance, and how many lines the ledger has."""
    async with app.state.engine.connect() as connection:
        rows = await connection.exec_driver_sql("SELECT code, unit, balance FROM ledger.account ORDER BY code, unit")
        lines = await connection.exec_driver_sql("SELECT count(*) FROM ledger.transfer")
        return rows.all(), lines.scalar_one()


async def code_shown(client, voucher):
    return (await client.get(f"/api/vouchers/{voucher['voucher_id']}")).json()["qr"]


async def test_codes_of_a_leaked_key_die_at_once_and_vouchers_go_on(
    app, folder, li, phone, haircut, offer_of, clock, capsys
):
    paper = (await li.post(f"/api/vouchers/{haircut['voucher_id']}/printing")).json()["qr"]
    shown = await code_shown(li, haircut)
    before = await books(app)

    code_keys.revoke_key(argparse.Namespace(number=1, reason="演练"))

    assert "2: makes the codes now." in capsys.readouterr().out
    for text in (shown, paper):
        refused = await phone.post("/api/scans", json=scan_of(text))
        assert (refused.status_code, refused.json()["code"]) == (410, "vouchers.scan_revoked")
        assert "换新码" in refused.json()["detail"]
    again = (await li.post(f"/api/vouchers/{haircut['voucher_id']}/printing")).json()["qr"]
    assert again not in (paper, shown)
    assert await books(app) == before
    async with app.state.sessions() as session:
        assert list(await ledger.verify(session, HERE)) == []
        assert list(await redemption.verify(session, HERE)) == []

    clock.move(seconds=30)
    answer = await phone.post("/api/scans", json=scan_of(await code_shown(li, haircut)))
    assert answer.json()["state"] == "ok", answer.text


async def test_a_paper_of_a_withdrawn_key_locks_no_phone(app, folder, li, phone, haircut, clock):
    paper = (await li.post(f"/api/vouchers/{haircut['voucher_id']}/printing")).json()["qr"]
    code_keys.revoke_key(argparse.Namespace(number=1, reason="演练"))
    for _ in range(12):
        assert (await phone.post("/api/scans", json=scan_of(paper))).status_code == 410

    answer = await phone.post("/api/scans", json=scan_of(await code_shown(li, haircut)))

    assert answer.json()["state"] == "ok"


async def test_what_is_typed_survives_the_drill(folder, phone, haircut, clock):
    code_keys.revoke_key(argparse.Namespace(number=1, reason="演练"))

    assert (await phone.post("/api/scans", json=scan_of(haircut["short_code"]))).json()["state"] == "ok"


async def test_a_rotation_changes_the_codes_later_and_refuses_none(folder, li, phone, haircut, clock, monkeypatch):
    monkeypatch.setattr(code_keys, "datetime", _At(clock))
    paper = (await li.post(f"/api/vouchers/{haircut['voucher_id']}/printing")).json()["qr"]
    code_keys.rotate_key(argparse.Namespace(after_hours=80, keep_days=400))
    code_keys.list_numbers(argparse.Namespace())
    assert (await code_shown(li, haircut)).rpartition("/")[2][:2] == paper.rpartition("/")[2][:2].replace("P", "R")

    clock.move(hours=85)
    other = (await li.post(f"/api/vouchers/{haircut['voucher_id']}/printing")).json()["qr"]
    assert _number(paper) == 1
    assert _number(other) == _number(await code_shown(li, haircut)) == 2
    phone.cookies.set(DEVICE_COOKIE, str(uuid4()))
    assert (await phone.post("/api/scans", json=scan_of(await code_shown(li, haircut)))).json()["state"] == "ok"


def _number(text):
    value = 0
    for character in text.rpartition("/")[2][1:]:
        value = value * 31 + "23456789ABCDEFGHJKMNPQRSTUVWXYZ".index(character)
    return value >> 144


class _At:
    """The command's clock, standing where the test's does."""

    def __init__(self, clock):
        self._clock = clock

    def now(self, _zone):
        return self._clock.now


async def test_a_roaming_voucher_is_signed_on_paper_and_good_at_the_counter(li, phone, give, offer_of, clock):
    await give(li, 100)
    offer_id = await offer_of(offline_class=2, title="理发一次（纸券）")
    voucher = (await li.post(f"/api/offers/{offer_id}/vouchers", json={})).json()
    first = (await li.post(f"/api/vouchers/{voucher['voucher_id']}/printing")).json()["qr"]
    second = (await li.post(f"/api/vouchers/{voucher['voucher_id']}/printing")).json()["qr"]

    assert first.rpartition("/")[2][0] == second.rpartition("/")[2][0] == "S"
    dead = await phone.post("/api/scans", json=scan_of(first))
    assert dead.json()["code"] == "vouchers.scan_code_outdated"
    clock.now += timedelta(days=2)
    assert (await phone.post("/api/scans", json=scan_of(second, compared=True))).json()["state"] == "ok"


async def test_no_key_is_in_the_database(folder):
    code_keys.revoke_key(argparse.Namespace(number=1, reason="演练"))

    assert {file.name for file in folder.iterdir()} == {KEY_FILE, "linli-issuers.json"}
