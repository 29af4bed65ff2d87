"""A shop's phone without a network: enrolled by a ticket, known by its signature, believed record by record."""

import json
import time
from uuid import UUID, uuid4

import pytest

import redemption
from service.identity import grant_role
from service.kit.access import Role
from service.kit.clock import local_day
from service.vouchers.uploads import from_base64url, to_base64url
from tests.cast import HERE, client_of
from tests.vouchers.conftest import code_of, scan_of
from tests.vouchers.phone import Phone


@pytest.fixture
async def ticket(wu, town):
    made = await wu.post("/api/device-tickets", json={"shop": str(town.organisations["barbershop"])})
    assert made.status_code == 201, made.text
    return made.json()


@pytest.fixture
async def device(app, ticket, clock, barber):
    async with client_of(app, None) as anonymous:
        phone = Phone(anonymous, clock, barber.actor.member_id)
        enrolled = await phone.enrol(ticket["ticket"])
        assert enrolled.status_code == 200, enrolled.text
        phone.device_id = UUID(enrolled.json()["device_id"])
        yield phone


@pytest.fixture
async def vouchers(li, give, offer_of):
    """Two haircuts of the leased class."""
    await give(li, 200)
    offer_id = await offer_of(offline_class=redemption.OfflineClass.LEASED)
    return [(await li.post(f"/api/offers/{offer_id}/vouchers", json={})).json() for _ in range(2)]


class TestEnrolling:
    async def test_a_ticket_is_good_once_and_the_same_phone_hears_the_same(self, app, ticket, clock):
        async with client_of(app, None) as anonymous:
            one, two = Phone(anonymous, clock, None), Phone(anonymous, clock, None)
            first = await one.enrol(ticket["ticket"])
            again = await one.enrol(ticket["ticket"])
            other = await two.enrol(ticket["ticket"])

        assert first.json()["shop"]["name"] == "小李理发店"
        assert first.json()["device_id"] == again.json()["device_id"]
        assert other.status_code == 409
        assert other.json()["code"] == "redemption.ticket_used"

    async def test_not_after_fifteen_minutes_and_not_without_the_key(self, app, ticket, clock):
        async with client_of(app, None) as anonymous:
            phone = Phone(anonymous, clock, None)
            forged = await anonymous.post(
                "/api/devices/enrol",
                json={"ticket": ticket["ticket"], "public_key": to_base64url(bytes(32)), "proof": "AA", "label": "x"},
            )
            unknown = await phone.enrol("2" * 20)
            clock.move(minutes=15)
            late = await phone.enrol(ticket["ticket"])

        assert forged.json()["code"] == "vouchers.device_signature_wrong"
        assert unknown.json()["code"] == "redemption.ticket_unknown"
        assert late.json()["code"] == "redemption.ticket_over"

    async def test_only_staff_make_tickets(self, barber, town):
        asked = await barber.post("/api/device-tickets", json={"shop": str(town.organisations["barbershop"])})
        assert asked.status_code == 403


class TestSnapshot:
    async def test_it_has_all_that_is_needed_without_a_network(self, device, vouchers, clock):
        found = await device.snapshot()

        assert {each["id"] for each in found["vouchers"]} == {each["voucher_id"] for each in vouchers}
        assert found["lease"]["ends_at"] - found["server_time"] == 72 * 3_600_000
        anchors = found["vouchers"][0]["anchors"]
        assert anchors["first_window"] == int(clock.now.timestamp()) // 60 // 240
        assert len(anchors["values"]) >= 19
        assert all(len(from_base64url(each)) == 8 for each in anchors["values"])
        assert [each["name"] for each in found["clerks"]] != []
        assert "李奶奶" not in json.dumps(found, ensure_ascii=False)

    async def test_while_a_phone_has_the_lease_others_scan_elsewhere(self, device, vouchers, phone, clock):
        await device.snapshot()

        elsewhere = await phone.post("/api/scans", json=scan_of(code_of(vouchers[0], clock.now)))
        assert elsewhere.status_code == 409
        assert elsewhere.json()["code"] == "vouchers.scan_leased"

        assert (await device.call("lease", act="hand_over", seq=0)).status_code == 200
        again = await phone.post("/api/scans", json=scan_of(code_of(vouchers[0], clock.now)))
        assert again.status_code == 200

    async def test_a_phone_in_use_is_known_for_another_year(self, device):
        for what, body in (("snapshot", {"revocations_after": None}), ("sync", {"records": []})):
            told = (await device.call(what, **body)).headers["set-cookie"]
            assert told.startswith(f"linli_device={device.device_id};"), what
            assert "Max-Age=31536000" in told
            assert "HttpOnly" in told

    async def test_nobody_else_can_call(self, device):
        assert (await device.call("snapshot", signed=False)).status_code == 403
        assert (await device.call("sync", records="no")).status_code == 422


class TestSync:
    async def test_each_record_gets_its_own_answer_and_poison_stays(self, device, vouchers, clock):
        await device.snapshot()
        clock.move(hours=2)
        good = device.scan(vouchers[0])
        poison = device.scan(vouchers[1], quantity="many")
        forged = device.scan(vouchers[1], code="HTTPS://LINLI.EXAMPLE/V/R" + "2" * 31)
        clock.move(hours=1)

        found = (await device.call("sync", records=[good, "{", poison, forged])).json()

        assert [each["verdict"] for each in found["verdicts"]] == ["accepted", "review"]
        assert found["unread"] == [1, 2]
        assert found["verdicts"][0]["title"] == "理发一次"
        again = (await device.call("sync", records=[good])).json()["verdicts"]
        assert [(each["verdict"], each["nonce"]) for each in again] == [("already", json.loads(good)["nonce"])]
        assert (await device.snapshot())["lease"]["frozen"] is False

    async def test_the_member_gets_a_receipt_and_the_audit_a_line(self, app, device, vouchers):
        await device.snapshot()
        await device.call("sync", records=[device.scan(vouchers[0])])

        async with app.state.engine.connect() as connection:
            facts = await connection.exec_driver_sql("SELECT payload FROM outbox WHERE fact = 'VoucherRedeemed'")
            lines = await connection.exec_driver_sql("SELECT detail FROM audit WHERE action = 'vouchers.redeemed'")
            assert [int(payload["voucher_id"]) for (payload,) in facts] == [int(vouchers[0]["voucher_id"])]
            assert [detail["seq"] for (detail,) in lines] == [1]

    async def test_what_the_phone_took_back_is_no_use_and_what_was_sent_before_is_reversed(self, app, device, vouchers):
        await device.snapshot()
        kept = device.scan(vouchers[0])
        both = [kept, device.undo(kept)]
        sent = device.scan(vouchers[1])

        first = (await device.call("sync", records=[*both, sent])).json()["verdicts"]
        then = (await device.call("sync", records=[device.undo(sent), device.undo(sent, voucher="0")])).json()

        assert [each["reason"] for each in first] == ["undone", "undone", "accepted"]
        assert [(each["verdict"], each["reason"]) for each in then["verdicts"]] == [("accepted", "undone")]
        assert then["unread"] == [1]
        async with app.state.engine.connect() as connection:
            found = await connection.exec_driver_sql(
                "SELECT action FROM audit WHERE action IN ('vouchers.redeemed', 'vouchers.use_reversed') ORDER BY action"
            )
            assert list(found.scalars()) == ["vouchers.redeemed", "vouchers.use_reversed"]
            facts = await connection.exec_driver_sql(
                "SELECT fact FROM outbox WHERE fact IN ('VoucherRedeemed', 'VoucherUseReversed') ORDER BY fact"
            )
            assert list(facts.scalars()) == ["VoucherRedeemed", "VoucherUseReversed"]

    async def test_the_clerks_own_household_is_refused_here_too(self, device, vouchers):
        await device.snapshot()
        stranger = device.scan(vouchers[0], clerk=str(uuid4()))

        [said] = (await device.call("sync", records=[stranger])).json()["verdicts"]

        assert (said["verdict"], said["reason"]) == ("review", "clerk_unknown")

    @pytest.mark.parametrize("noise", ["", "[]", '{"v":1}', "\x00", '{"flags":["\\u0000"]}'])
    async def test_whatever_a_phone_writes_is_no_fault_of_ours(self, device, noise):
        found = await device.call("sync", records=[noise])
        assert found.status_code == 200
        assert found.json()["unread"] == [0]

    async def test_two_hundred_records_are_one_call_of_the_database(self, device, li, give, offer_of):
        await give(li, 500)
        free = await offer_of(offline_class=1, price_points=1, stock_total=300, per_member_cap=300, pieces=50)
        voucher = (await li.post(f"/api/offers/{free}/vouchers", json={"quantity": 50})).json()
        await device.snapshot()
        records = [device.scan(voucher) for _ in range(50)]
        began = time.monotonic()

        found = (await device.call("sync", records=records)).json()

        assert {each["verdict"] for each in found["verdicts"]} == {"accepted"}
        assert time.monotonic() - began < 8


class TestOffice:
    async def test_a_lost_phone_is_stopped_and_its_vouchers_work_at_once(self, device, vouchers, wu, phone, clock):
        await device.snapshot()
        late = device.scan(vouchers[0])

        stopped = await wu.post(f"/api/devices/{device.device_id}/revocation", json={"reason": "掉水里了"})

        assert stopped.status_code == 204, stopped.text
        assert (await device.call("snapshot", revocations_after=None)).json()["code"] == "redemption.device_refused"
        scanned = await phone.post("/api/scans", json=scan_of(code_of(vouchers[1], clock.now)))
        assert scanned.status_code == 200
        [said] = (await device.call("sync", records=[late])).json()["verdicts"]
        assert (said["verdict"], said["reason"]) == ("review", "device_revoked")
        listed = (await wu.get("/api/devices")).json()["items"]
        assert listed[0]["revoked_at"] is not None

    async def test_what_is_held_is_decided_by_two(self, device, vouchers, wu, feng):
        await device.snapshot()
        await device.call("sync", records=[device.scan(vouchers[0], clerk=str(uuid4()))])
        [held] = (await wu.get("/api/offline-reviews")).json()["items"]
        place = f"/api/offline-reviews/{held['device_id']}/{held['nonce']}"

        early = await feng.post(f"{place}/decision", json={"is_agreed": True})
        asked = await wu.post(f"{place}/proposal", json={"is_paid": True, "note": "监控里看得到"})
        agreed = await feng.post(f"{place}/decision", json={"is_agreed": True})

        assert early.json()["code"] == "redemption.review_decided"
        assert (asked.status_code, agreed.status_code) == (204, 204)
        assert (await wu.get("/api/offline-reviews")).json()["items"] == []

    async def test_an_owner_sees_the_own_shops_phones_only(self, device, zhou):
        assert (await zhou.get("/api/devices")).json()["items"] == []
        lost = await zhou.post(f"/api/devices/{device.device_id}/revocation", json={"reason": "不见了"})
        assert lost.status_code == 404

    async def test_an_owner_who_looks_on_for_the_office_still_runs_the_own_shop_only(self, app, town, device, zhou):
        async with app.state.sessions.begin() as session:
            await grant_role(
                session,
                actor=town.actors["jiang"],
                community_id=HERE,
                member_id=zhou.actor.member_id,
                role=Role.AUDITOR,
                day=local_day(app.state.clock()),
                now=app.state.clock(),
            )
        assert [each["device_id"] for each in (await zhou.get("/api/devices")).json()["items"]] == [
            str(device.device_id)
        ]
        for what in ("revocation", "lease-breaking"):
            asked = await zhou.post(f"/api/devices/{device.device_id}/{what}", json={"reason": "不见了"})
            assert asked.status_code == 404, what

    async def test_the_office_sees_that_the_clerk_took_it_back_and_takes_it_back(self, app, device, vouchers, wu, feng):
        await device.snapshot()
        at = int(device.clock.now.timestamp() * 1000)
        sent = [device.scan(vouchers[0]), device.scan(vouchers[1], clerk=str(uuid4()))]
        await device.call("sync", records=sent)
        undos = [device.undo(sent[1], trusted_at=at), device.undo(sent[0], trusted_at=at)]
        device.clock.move(hours=3)

        [first] = (await device.call("sync", records=undos[:1])).json()["verdicts"]
        await wu.post(f"/api/devices/{device.device_id}/revocation", json={"reason": "不见了"})
        [second] = (await device.call("sync", records=undos[1:])).json()["verdicts"]

        assert (first["verdict"], first["reason"]) == ("accepted", "undone")
        assert (second["verdict"], second["reason"]) == ("review", "undo_waits")
        [held] = (await wu.get("/api/offline-reviews")).json()["items"]
        assert held["is_undo"] is True
        assert "店员在手机上撤销了这一笔" in (await wu.get("/desk/held?view=decided")).text

        place = f"/api/offline-reviews/{held['device_id']}/{held['nonce']}"
        asked = await wu.post(f"{place}/proposal", json={"is_paid": False, "note": "没有理发"})
        agreed = await feng.post(f"{place}/decision", json={"is_agreed": True})
        assert (asked.status_code, agreed.status_code) == (204, 204), agreed.text
        async with app.state.engine.connect() as connection:
            states = await connection.exec_driver_sql("SELECT state FROM redemption.use")
            facts = await connection.exec_driver_sql("SELECT fact FROM outbox WHERE fact = 'VoucherUseReversed'")
            assert (list(states.scalars()), len(list(facts))) == (["REVERSED"], 1)


def test_tickets_are_letters_with_the_community_inside():
    ticket = redemption.new_ticket(HERE)
    read = redemption.read_ticket(f" {ticket[:4].lower()} {ticket[4:]}")
    assert read is not None
    assert read[0] == HERE
    assert redemption.read_ticket("1" * 20) is None
