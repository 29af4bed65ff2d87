"""What the tests of vouchers share: an offer that is open, points to pay with, and a scan."""

from datetime import timedelta
from uuid import uuid4

import pytest

import ledger
import redemption
from service import chart
from service.chart import Reason
from service.identity import grant_role
from service.kit.access import Role
from service.kit.clock import local_day
from service.kit.edge import DEVICE_COOKIE
from service.kit.ids import new_id
from tests.cast import HERE, KEYRING, START
from tests.wallet.conftest import statements

__all__ = ["statements"]

HAIRCUT = {"title": "理发一次", "price_points": 20, "payable_fen": 1500}


@pytest.fixture
def offer_of(app, town):
    """Publishes an offer of the sponsor, at the barber's unless said otherwise."""

    async def make(**terms):
        given = {
            "offer_id": new_id(),
            "sponsor_id": town.organisations["sponsor"],
            "merchant_ids": (town.organisations["barbershop"],),
            "kind": redemption.OfferKind.SERVICE,
            "stock_total": 50,
            "per_member_cap": 5,
            "valid_from": START - timedelta(days=1),
            "valid_until": START + timedelta(days=60),
            **HAIRCUT,
        } | terms
        async with app.state.sessions.begin() as session:
            drafted = redemption.OfferTerms(**given)
            actor = town.actors["wu"].member_id
            await redemption.draft_offer(session, HERE, drafted, actor_id=actor, now=START)
            await redemption.publish_offer(session, HERE, drafted.offer_id, key=uuid4(), actor_id=actor, now=START)
        return drafted.offer_id

    return make


@pytest.fixture
def give(app):
    """Gives somebody points."""

    async def post(client, points):
        async with app.state.sessions.begin() as session:
            journal = ledger.Journal(
                reference=f"opening:{uuid4()}",
                reason=Reason.OPENING_BALANCE,
                legs=(ledger.Leg(chart.ISSUED, chart.member(client.actor.member_id), chart.POINT, points * 100),),
                actor_id=None,
            )
            await ledger.post(session, client.actor.community_id, journal, now=START)

    return post


@pytest.fixture
async def haircut(li, offer_of, give):
    """Li's voucher for a haircut, and what stands in its code."""
    await give(li, 100)
    offer_id = await offer_of()
    taken = await li.post(f"/api/offers/{offer_id}/vouchers", json={}, headers={"idempotency-key": "haircut"})
    assert taken.status_code == 201, taken.text
    return taken.json()


def scan_of(code, **fields):
    return {"nonce": str(uuid4()), "code": code, **fields}


@pytest.fixture
def phone(barber):
    """The barber's phone, known by a number of its own."""
    barber.cookies.set(DEVICE_COOKIE, str(uuid4()))
    return barber


def code_of(voucher, now, *, kind="phone"):
    """A genuine code of a voucher at an instant."""
    keys = redemption.CodeKeys(KEYRING.current, KEYRING.keys("voucher"))
    known = {"community_id": HERE, "voucher_id": int(voucher["voucher_id"]), "code_seq": voucher.get("code_seq", 1)}
    make = redemption.printed_code
    code = redemption.phone_code(keys, **known, now=now) if kind == "phone" else make(keys, **known)
    return redemption.code_url("https://linli.example.org", code)


@pytest.fixture
async def used(li, phone, give, offer_of, clock):
    """Three haircuts were taken and used, so long ago that the shop can no longer undo them."""
    await give(li, 200)
    offer_id = await offer_of()
    for _ in range(3):
        voucher = (await li.post(f"/api/offers/{offer_id}/vouchers", json={})).json()
        answer = await phone.post("/api/scans", json=scan_of(code_of(voucher, clock.now)))
        assert answer.status_code == 200
        clock.move(minutes=1)
    clock.move(hours=1)


async def closed(client, **fields):
    answer = await client.post("/api/settlements", json={"until": "2026-11-22", **fields})
    assert answer.status_code == 201, answer.text
    return answer.json()["items"]


async def as_owner(app, town, client):
    """Make the barber the shop's owner as well."""
    async with app.state.sessions.begin() as session:
        await grant_role(
            session,
            actor=town.actors["jiang"],
            community_id=client.actor.community_id,
            member_id=client.actor.member_id,
            role=Role.MERCHANT_OWNER,
            organisation_id=town.organisations["barbershop"],
            day=local_day(app.state.clock()),
            now=app.state.clock(),
        )
