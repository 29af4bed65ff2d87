"""Seals as people meet them: on the wall, in the passbook, at the desk; and what happens when the books were changed."""

import json
import re
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest

import ledger
from service.kit.db import transaction
from service.kit.settings import Settings
from service.seals import actions
from tests.cast import HERE
from tests.wallet.test_passbook import credit, service_of


@pytest.fixture
def copies(app, tmp_path: Path) -> Path:
    """Where published seals go."""
    app.state.sessions.kw["info"]["seal_copies"] = tmp_path
    return tmp_path


@pytest.fixture
async def entries(app, chen, sun, wu, clock):
    """Two services, posted."""
    await credit(app, wu, [service_of(chen, "a", clock), service_of(sun, "b", clock)], clock.now)


@pytest.fixture
async def thief(town_database):
    """Whoever owns the database server."""
    connection = await asyncpg.connect(town_database.superuser_url)
    yield connection
    await connection.close()


async def turn(app, clock):
    """What the worker does in a few minutes."""
    for work in (actions.read_on, actions.seal_daily, actions.patrol):
        for _ in range(5):
            async with transaction(app.state.sessions) as session:
                if await work(session, clock.now) == 0:
                    break


async def seals_of(client):
    return (await client.get("/api/books/seals")).json()


async def seq_of(client, unit: str = "point") -> int:
    return int((await client.get(f"/api/wallet/statement?unit={unit}")).json()["items"][0]["seq"])


async def test_the_worker_reads_seals_once_a_day_and_publishes(app, he, entries, chen, wu, clock, copies):
    await turn(app, clock)
    await turn(app, clock)
    found = await seals_of(he)
    assert [(item["number"], item["size"]) for item in found["items"]] == [(1, found["posted"])]
    assert found["read"] == found["posted"]
    assert found["alarms"] == []
    assert json.loads((copies / str(HERE) / "1.json").read_text())["linli"] == "seal"

    await credit(app, wu, [service_of(chen, "c", clock)], clock.now)
    await turn(app, clock)
    found = await seals_of(he)
    assert len(found["items"]) == 1, "once a day"
    assert found["read"] == found["posted"] > found["items"][0]["size"]
    clock.move(days=1)
    await turn(app, clock)
    assert [item["number"] for item in (await seals_of(he))["items"]] == [2, 1]
    assert (copies / str(HERE) / "2.json").exists()


async def test_the_desk_seals_on_demand(he, entries):
    page = await he.get("/desk/books/seals")
    assert "还没有封条" in page.text
    sealed = await he.post("/desk/books/seals", data={"_key": "one"}, follow_redirects=True)
    assert "封好了" in sealed.text
    again = await he.post("/api/books/seals")
    assert (again.json()["seal"]["number"], again.json()["is_new"]) == (1, False)
    assert "封条前后相连" in (await he.get("/desk/books/seals?compare=1")).text
    assert (await he.get("/desk/books/seals/9/notice")).status_code == 404


async def test_the_sheet_on_the_wall_and_the_public_page_say_the_same(he, entries, anon):
    seal = (await he.post("/api/books/seals")).json()["seal"]
    sheet = await he.get("/desk/books/seals/1/notice")
    groups = re.findall(r"<span>([0-9a-f]{4})</span>", sheet.text)
    assert "".join(groups) == seal["root"]
    assert f"linli.example.org{seal['url']}" in sheet.text
    public = await anon.get(seal["url"])
    assert public.status_code == 200
    assert " ".join(groups) in public.text
    assert "兴乐社区" in public.text
    assert "签名无误" in public.text
    for person in ("陈助人", "孙乐助", "0012-", "member:"):
        assert person not in public.text
    assert (await anon.get(f"/seals/{HERE}/2")).status_code == 404
    assert (await anon.get("/seals/1/1")).status_code == 404


async def test_a_member_gets_a_receipt_that_a_stranger_can_check(he, chen, sun, entries, tmp_path, anon):
    seq = await seq_of(chen)
    early = await chen.get(f"/passbook/lines/{seq}/proof")
    assert early.status_code == 409
    assert "还没有封进账本" in early.text
    await he.post("/api/books/seals")

    page = await chen.get(f"/passbook/lines/{seq}/proof")
    assert page.status_code == 200
    assert "<svg" in page.text
    groups = re.findall(r"<span>([A-Z0-9:]{1,8})</span>", page.text)
    assert groups[0].startswith("LINLI1:")
    (tmp_path / "receipt.txt").write_text(" ".join(groups))
    (tmp_path / "proof.json").write_bytes((await chen.get(f"/api/wallet/lines/{seq}/proof")).content)
    (tmp_path / "seal.json").write_bytes((await anon.get(f"/api/seals/{HERE}/1")).content)
    tool = await anon.get("/seals/linli_check.py")
    (tmp_path / "linli_check.py").write_bytes(tool.content)
    for files in (["receipt.txt", "seal.json"], ["proof.json"], ["seal.json"]):
        assert checked(tmp_path, *files) == (0, "")

    assert (await sun.get(f"/passbook/lines/{seq}/proof")).status_code == 404
    assert (await sun.get(f"/api/wallet/lines/{seq}/proof")).status_code == 404
    assert (await chen.get("/api/wallet/lines/999999/proof")).status_code == 404


async def test_a_later_seal_is_proved_to_continue_an_older_one(app, he, chen, wu, entries, clock, anon):
    await he.post("/api/books/seals")
    await credit(app, wu, [service_of(chen, "c", clock)], clock.now)
    await he.post("/api/books/seals")
    proof = (await anon.get(f"/api/seals/{HERE}/1/continued")).json()
    assert (proof["linli"], len(proof["path"]) > 0) == ("consistency", True)
    assert (await anon.get(f"/api/seals/{HERE}/1/continued?by=7")).status_code == 404


def checked(folder: Path, *files: str) -> tuple[int, str]:
    """Run the downloaded tool as a bare process."""
    command = [sys.executable, "-I", "linli_check.py", *files]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


TAMPER = "UPDATE ledger.transfer SET amount = amount + 1 WHERE community_id = $1 AND seq = 1"


async def test_a_change_of_what_was_sealed_raises_one_alarm_and_stops_the_seals(
    app, he, wu, entries, chen, clock, thief
):
    await turn(app, clock)
    await thief.execute(TAMPER, HERE)
    await turn(app, clock)
    await turn(app, clock)
    (alarm,) = (await seals_of(he))["alarms"]
    assert (alarm["kind"], alarm["place"].startswith("transfers 1 to")) == ("sealed_rows", True)
    inbox = await he.get("/desk")
    assert "账簿对不上，请马上看一看" in inbox.text
    assert "账簿对不上" not in (await wu.get("/desk")).text
    lines = await thief.fetch("SELECT object_id FROM audit WHERE action = 'seals.alarm'")
    assert [line["object_id"] for line in lines] == [alarm["alarm_id"]]
    refused = await he.post("/api/books/seals")
    assert (refused.status_code, refused.json()["code"]) == (409, "seals.alarm_stands")

    await credit(app, wu, [service_of(chen, "c", clock)], clock.now)
    clock.move(days=1)
    await turn(app, clock)
    found = await seals_of(he)
    assert len(found["items"]) == 1
    assert found["read"] < found["posted"]

    assert "已经查清" in (await he.get("/desk/books/seals")).text
    left = await he.post(f"/api/books/alarms/{alarm['alarm_id']}/close")
    assert [one["closed_at"] is not None for one in left.json()] == [True]
    assert (await he.post(f"/api/books/alarms/{alarm['alarm_id']}/close")).status_code == 404
    await turn(app, clock)
    assert [one["closed_at"] is None for one in (await seals_of(he))["alarms"]] == [True, False], "it is still there"


async def test_the_desk_is_told_when_what_it_wants_to_seal_does_not_follow(he, entries, thief):
    await thief.execute("UPDATE ledger.transfer SET credit_balance = credit_balance + 1 WHERE seq = 2")
    answer = await he.post("/desk/books/seals", data={"_key": "one"}, follow_redirects=True)
    assert "账簿对不上，没有封账" in answer.text
    assert "running_balance" in answer.text


async def test_a_published_seal_that_is_gone_is_missed(app, he, entries, clock, copies, thief):
    await turn(app, clock)
    await turn(app, clock)
    await thief.execute("DELETE FROM ledger.seal")
    page = await he.get("/desk/books/verify?run=all")
    assert "seal_missing" in page.text
    clock.move(minutes=1)
    await turn(app, clock)
    assert [alarm["kind"] for alarm in (await seals_of(he))["alarms"]] == ["seal_copy"], "made anew, and not the same"


async def test_no_receipt_is_given_for_what_was_changed(he, chen, entries, thief):
    await he.post("/api/books/seals")
    await thief.execute(TAMPER, HERE)
    answer = await chen.get(f"/passbook/lines/{await seq_of(chen)}/proof")
    assert answer.status_code == 409
    assert "请马上告诉居委会" in answer.text


async def test_two_who_find_the_same_write_one_alarm(app, entries, clock):
    fault = ledger.Fault("tile", HERE, "tree", "is odd")
    sessions = app.state.sessions
    async with transaction(sessions) as first:
        assert await actions.raise_alarm(first, fault, now=clock.now)
    async with transaction(sessions) as second:
        assert not await actions.raise_alarm(second, fault, now=clock.now)


def test_copies_lie_beside_the_keys(tmp_path: Path):
    assert Settings(keys_dir=tmp_path).seal_copies == tmp_path / "seals"
