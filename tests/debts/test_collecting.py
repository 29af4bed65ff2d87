"""What members owe for vouchers used twice is collected by itself: told first, in part if need be, never what is disputed."""

import asyncio
import re
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest
import sqlalchemy as sa

import ledger
import redemption
from service import chart
from service.chart import Reason
from service.communities import change_setting
from service.debts.actions import object_to_notice
from service.debts.manifest import MANIFEST
from service.kit.clock import local_day
from service.kit.ids import new_id
from service.kit.issuers import code_keys
from tests.cast import HERE, KEYRING, client_of
from tests.debts.test_conflict_debts import asked, balances, owes
from tests.vouchers.conftest import code_of, give, offer_of, phone, scan_of
from tests.vouchers.phone import Phone

__all__ = ["give", "offer_of", "owes", "phone"]

TELL, COLLECT = MANIFEST.timed
SQL = Path(__file__).resolve().parents[2] / "service/debts/sql/collect.sql"


@pytest.fixture
def worker(app, clock):
    """The hour's work: how many were told, and from how many was looked to collect."""

    async def work() -> tuple[int, int]:
        return tuple([await app.state.worker.do_timed(timed, clock.now) for timed in (TELL, COLLECT)])

    return work


@pytest.fixture
def earns(app, clock):
    """Points that somebody gets meanwhile."""

    async def earn(client, points: int) -> None:
        legs = (ledger.Leg(chart.ISSUED, chart.member(client.actor.member_id), chart.POINT, points * 100),)
        async with app.state.sessions.begin() as session:
            gift = ledger.Journal(f"gift:{new_id()}", Reason.OPENING_BALANCE, legs, None)
            await ledger.post(session, HERE, gift, now=clock.now)

    return earn


@pytest.fixture
def rule(app, clock, qian):
    """Another value of a setting, from today."""

    async def change(name: str, value: int) -> None:
        async with app.state.sessions.begin() as session:
            await change_setting(
                session,
                actor=qian.actor,
                name=name,
                value=value,
                effective_from=local_day(clock.now),
                now=clock.now,
            )

    return change


async def weaken(database, old: str, new: str = "") -> None:
    """The function without one of its locks: the control that shows the race is real."""
    script = SQL.read_text(encoding="utf-8")
    found = re.search(r"CREATE OR REPLACE FUNCTION debt_collect\(.*?\nEND \$\$;", script, re.DOTALL)
    assert found is not None
    assert old in found[0]
    owner = await asyncpg.connect(database.owner_url)
    try:
        await owner.execute(found[0].replace(old, new))
    finally:
        await owner.close()


async def taken(wu) -> list[int]:
    """What was collected by itself, the newest first."""
    return [each["hundredths"] for each in (await wu.get("/api/debts")).json()["collections"]]


async def test_told_first_then_paid_as_far_as_the_points_reach_and_the_rest_when_there_are_more(
    app, owes, earns, worker, li, wu, qian, clock
):
    await owes(li, 20, has=13)
    assert await worker() == (1, 0)
    assert await worker() == (0, 0)
    await app.state.worker.drain()
    [said] = [each for each in (await li.get("/api/messages")).json()["items"] if each["url"] == "/owed"]
    assert "20 分" in said["text"]
    assert "7 天后" in said["text"]

    clock.move(days=7, seconds=-1)
    await worker()
    assert await balances(app, li) == (-2_000, 1_300)
    clock.move(seconds=1)
    await worker()
    assert await balances(app, li) == (-1_200, 500)
    await worker()
    assert await balances(app, li) == (-1_200, 500)

    clock.move(hours=1)
    await earns(li, 30)
    await worker()
    assert await balances(app, li) == (0, 2_300)
    clock.move(hours=1)
    assert await worker() == (0, 0)

    assert await taken(wu) == [1_200, 800]
    mine = (await li.get("/api/owed")).json()
    assert (mine["owed"], mine["notice"]["collected"], len(mine["collections"])) == (0, 2_000, 2)
    assert "一张券用了两回，自动还欠的积分" in (await li.get("/passbook")).text
    await app.state.worker.drain()
    texts = [each["text"] for each in (await li.get("/api/messages")).json()["items"]]
    assert any("自动还了 12 分" in text for text in texts)
    assert li.actor.card_no in (await wu.get("/desk/books/debts")).text
    assert (await qian.get("/api/books/verification")).json()["is_whole"]


async def test_what_they_come_to_owe_later_is_told_for_itself(app, owes, worker, li, clock):
    await owes(li, 6, has=50)
    await worker()
    clock.move(days=6)
    await owes(li, 4)
    clock.move(days=1)
    await worker()
    assert (await balances(app, li))[0] == -400
    await worker()
    clock.move(days=6)
    await worker()
    assert (await balances(app, li))[0] == -400
    clock.move(days=1)
    await worker()
    assert (await balances(app, li))[0] == 0


async def test_who_objects_is_left_alone_and_people_decide(app, owes, worker, li, wu, feng, chen, clock):
    await owes(li, 6, has=50)
    assert (await li.post("/api/owed/objection", json={"words": "不是我用的"})).json()["code"] == "debts.notice_gone"
    await worker()
    assert (await li.post("/owed/objection", data={"words": "", "_key": "a"})).status_code == 422
    assert "觉得不对" in (await li.get("/owed")).text
    assert (await li.post("/owed/objection", data={"words": "那天我不在", "_key": "b"})).status_code == 303
    assert "那天我不在" in (await li.get("/owed")).text
    assert "那天我不在" in (await wu.get("/desk/books/debts")).text
    assert "不欠" in (await chen.get("/owed")).text

    clock.move(days=30)
    await worker()
    assert await balances(app, li) == (-600, 5_000)
    await app.state.worker.drain()
    assert any("不认" in each["text"] for each in (await wu.get("/api/messages")).json()["items"])

    request = (await asked(wu, li, "forgive")).json()["request_id"]
    assert (await feng.post(f"/api/debts/{request}/confirmation")).status_code == 200
    await worker()
    assert (await li.get("/api/owed")).json()["notice"]["ended_at"] is not None


async def test_told_at_the_desk_it_counts_as_well(app, owes, worker, li, wu, sun, clock):
    await owes(li, 6, has=50)
    await worker()
    body = {"member_id": str(li.actor.member_id), "note": "来窗口说的"}
    assert (await sun.post("/api/debts/objections", json=body)).status_code == 403
    assert (await wu.post("/desk/books/debts/objections", data={**body, "_key": "a"})).status_code == 303
    assert (await wu.post("/api/debts/objections", json=body)).json()["objection"] == "来窗口说的"
    clock.move(days=7)
    await worker()
    assert (await balances(app, li))[0] == -600


async def test_while_people_decide_nothing_is_collected(app, owes, worker, li, wu, clock):
    await owes(li, 6, has=50)
    await worker()
    request = (await asked(wu, li, "forgive")).json()["request_id"]
    clock.move(days=7)
    await worker()
    assert (await balances(app, li))[0] == -600
    assert (await wu.post(f"/api/debts/{request}/withdrawal")).status_code == 200
    clock.move(hours=1)
    await worker()
    assert (await balances(app, li))[0] == 0


async def test_turned_off_nobody_is_told_and_a_press_says_so(app, owes, worker, rule, li, wu, sun, clock):
    await rule("voucher_owed_days", 0)
    await owes(li, 6, has=50)
    assert await worker() == (0, 0)
    assert (await wu.post("/api/debts/collections")).json()["code"] == "debts.not_collected"
    assert "不自动还" in (await wu.get("/desk/books/debts")).text

    await rule("voucher_owed_days", 1)
    await rule("voucher_owed_keep_points", 48)
    await worker()
    clock.move(days=1)
    assert (await sun.post("/api/debts/collections")).status_code == 403
    assert (await wu.post("/api/debts/collections")).json() == {"members": 1}
    assert (await wu.post("/api/debts/collections")).json() == {"members": 0}
    assert await balances(app, li) == (-400, 4_800)
    done = await wu.post("/desk/books/debts/collections", data={"_key": "a"})
    assert done.headers["location"].endswith("done=debts.none_due")


async def test_everybody_at_once_and_it_is_collected_once(app, owes, worker, li, sun, wu, feng, qian, clock):
    await owes(li, 6, has=50)
    await owes(sun, 9, has=50)
    await worker()
    clock.move(days=7)

    await asyncio.gather(worker(), *(each.post("/api/debts/collections") for each in (wu, feng, qian, wu, feng)))

    assert await balances(app, li) == (0, 4_400)
    assert await balances(app, sun) == (0, 4_100)
    assert sorted(await taken(wu)) == [600, 900]
    assert (await qian.get("/api/books/verification")).json()["is_whole"]


@pytest.mark.parametrize("is_locked", [False, True])
async def test_an_objection_that_came_first_is_heard(app, town_database, owes, worker, li, wu, clock, is_locked):
    if not is_locked:
        await weaken(town_database, " FOR NO KEY UPDATE")
    await owes(li, 6, has=50)
    await worker()
    clock.move(days=7)
    async with app.state.sessions.begin() as session:
        member_id = li.actor.member_id
        await object_to_notice(session, actor=li.actor, member_id=member_id, words="不认", now=clock.now)
        await session.flush()
        collecting = asyncio.create_task(wu.post("/api/debts/collections"))
        await asyncio.sleep(0.5)
        assert not collecting.done()

    await collecting

    assert (await balances(app, li))[0] == (-600 if is_locked else 0)


@pytest.mark.parametrize("is_locked", [False, True])
async def test_taken_back_while_it_is_collected_nothing_is_paid(
    app, town_database, owes, worker, li, wu, clock, is_locked
):
    """Whoever collects waits for the book, and reads what is owed afterwards."""
    if not is_locked:
        await weaken(
            town_database, "    PERFORM ledger.allow_debt(p_community, v_member, 'point', NULL, NULL, NULL, p_now);\n"
        )
    await owes(li, 6, has=50)
    await worker()
    clock.move(days=7)
    async with app.state.sessions.begin() as session:
        legs = (ledger.Leg(chart.ISSUED, chart.owed(li.actor.member_id), chart.POINT, 600),)
        undone = ledger.Journal(f"undone:{new_id()}", Reason.VOUCHER_USE_REVERSED, legs, None)
        await ledger.post(session, HERE, undone, now=clock.now)
        collecting = asyncio.create_task(wu.post("/api/debts/collections"))
        await asyncio.sleep(0.5)
        assert not collecting.done()

    await collecting

    assert await balances(app, li) == ((0, 5_000) if is_locked else (600, 4_400))


async def test_who_proposes_while_it_is_collected_waits_and_finds_nothing_owed(app, owes, worker, li, wu, feng, clock):
    await owes(li, 6, has=50)
    await worker()
    clock.move(days=7)
    async with app.state.sessions.begin() as session:
        legs = (ledger.Leg(chart.ISSUED, chart.CARE, chart.POINT, 1),)
        await ledger.post(session, HERE, ledger.Journal("other", Reason.OPENING_BALANCE, legs, None), now=clock.now)
        collecting = asyncio.create_task(feng.post("/api/debts/collections"))
        await asyncio.sleep(0.5)
        proposing = asyncio.create_task(asked(wu, li, "forgive"))
        await asyncio.sleep(0.5)
        assert not collecting.done()
        assert not proposing.done()

    assert (await collecting).json() == {"members": 1}
    assert (await proposing).json()["code"] == "debts.nothing_owed"


async def test_the_books_never_carry_more_than_was_told(app, town_database, owes, worker, li):
    await owes(li, 6)
    await worker()
    owner = await asyncpg.connect(town_database.superuser_url)
    try:
        with pytest.raises(asyncpg.CheckViolationError, match="ck_debt_notice_collected"):
            await owner.execute("UPDATE debt_notice SET collected = 601")
    finally:
        await owner.close()
    async with app.state.sessions.begin() as session:
        with pytest.raises(sa.exc.DBAPIError, match="permission denied"):
            await session.execute(sa.text("UPDATE debt_notice SET hundredths = 900"))
        await session.rollback()


async def test_a_conflict_that_is_taken_back_afterwards_gives_back_exactly_what_was_collected(
    app, town, clock, li, wu, barber, phone, give, offer_of, earns, worker, rule, qian
):
    """Two pieces of paper were used twice; one of the second uses was a slip, told to us when the phone came back."""
    await rule("voucher_owed_days", 1)
    await rule("voucher_owed_keep_points", 0)
    await give(li, 40)
    offer_id = await offer_of(offline_class=redemption.OfflineClass.ROAMING)
    ticket = (await wu.post("/api/device-tickets", json={"shop": str(town.organisations["barbershop"])})).json()
    async with client_of(app, None) as anonymous:
        dark = Phone(anonymous, clock, barber.actor.member_id)
        dark.device_id = UUID((await dark.enrol(ticket["ticket"])).json()["device_id"])
        await dark.snapshot()
        records = []
        for _ in range(2):
            voucher = (await li.post(f"/api/offers/{offer_id}/vouchers", json={})).json()
            clock.move(minutes=5)
            used = await phone.post("/api/scans", json=scan_of(code_of(voucher, clock.now)))
            assert used.json()["state"] == "ok"
            paper = redemption.signed_code(
                code_keys(KEYRING, clock.now),
                community_id=HERE,
                voucher_id=int(voucher["voucher_id"]),
                code_seq=1,
                offer_id=offer_id,
                expires_at=clock.now + timedelta(days=5),
                quantity=1,
            )
            records.append(dark.scan(voucher, code=paper, step=None, lease=None, **{"class": 2}))
        verdicts = (await dark.call("sync", records=records)).json()["verdicts"]
        assert [each["bearer"] for each in verdicts] == ["fund", "fund"]
        undo = dark.undo(records[0])
        assert (await balances(app, li)) == (-4_000, 0)

        await worker()
        clock.move(days=1)
        await earns(li, 31)
        await worker()
        assert (await balances(app, li)) == (-900, 0)
        [said] = (await dark.call("sync", records=[undo])).json()["verdicts"]
        assert (said["verdict"], said["reason"]) == ("accepted", "undone")

    assert (await balances(app, li)) == (0, 1_100)
    clock.move(hours=1)
    await worker()
    assert (await balances(app, li)) == (0, 1_100)
    assert (await qian.get("/api/books/verification")).json()["is_whole"]
