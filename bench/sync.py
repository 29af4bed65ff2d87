"""What it costs a shop's phone to upload its queue: so many records over HTTP, signed, 200 at a time.

    ./dev bench sync [--records N] [--reused N]

A durable server and the service as a process of their own, one phone enrolled with its key and holding the lease, a voucher for
each record and the code that the member's phone would show. Prints one line of JSON: seconds for the whole queue, for the slowest
upload, processor seconds of the service and of the database meanwhile (facts that were delivered in that time among them), and what
the answers were.
"""

import argparse
import asyncio
import base64
import hashlib
import json
import os
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import redemption
from bench.http import cpu_of
from redemption.offline.rules import FIRST, record_hash, record_text
from service.kit.db import Sessions, make_engine, make_sessions
from service.kit.embedded_pg import server
from service.kit.issuers import code_keys
from tests.crash.crowd import Street, settle_street
from tests.crash.installation import COMMUNITY, Installation

BATCH = 200


def base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


class Phone:
    """The queue of a shop's phone."""

    def __init__(self, device_id: UUID, clerk: UUID, lease: UUID) -> None:
        self.device_id, self.clerk, self.lease = device_id, clerk, lease
        self.key, self.prev, self.texts = Ed25519PrivateKey.generate(), FIRST, list[str]()

    def scan(self, voucher_id: int, code: str, at: datetime) -> None:
        ms = int(at.timestamp() * 1000)
        record = {
            "v": 1,
            "seq": len(self.texts) + 1,
            "prev": self.prev,
            "nonce": str(uuid4()),
            "voucher": str(voucher_id),
            "quantity": 1,
            "code": code,
            "step": ms // 60_000,
            "device_at": ms,
            "mono": 60_000,
            "trusted_at": ms,
            "lease": str(self.lease),
            "clerk": str(self.clerk),
            "class": 1,
            "flags": [],
        }
        text = record_text(record)
        self.prev = record_hash(text)
        self.texts.append(text)

    def upload(self, client: httpx.Client, texts: list[str]) -> list[dict[str, Any]]:
        sent = {"device_id": str(self.device_id), "community_id": COMMUNITY, "sent_at": int(time.time() * 1000)}
        body = json.dumps({**sent, "records": texts}).encode()
        headers = {"linli-signature": base64url(self.key.sign(body)), "content-type": "application/json"}
        answer = client.post("/api/devices/sync", content=body, headers=headers)
        answer.raise_for_status()
        return list(answer.json()["verdicts"])


async def prepare(url: str, place: Installation, records: int, reused: int) -> Phone:
    """Members hold a voucher for each record, and the phone scanned them all; `reused` of them another had first."""
    keyring = place.keyring()
    street = await settle_street(url, keyring, 40)
    engine = make_engine(url)
    sessions = make_sessions(engine, keyring)
    now = datetime.now(UTC)
    try:
        async with sessions.begin() as session:
            offer = await redemption.offer(session, COMMUNITY, street.offer_id)
        shop, terms = offer.merchant_ids[0], await publish(sessions, offer, street.members[0], records, now)
        phone = await enrol(sessions, shop, street, now)
        vouchers = await issue(sessions, street, terms, records, now)
        for voucher_id in vouchers[:reused]:
            async with sessions.begin() as session:
                await redemption.redeem(
                    session,
                    COMMUNITY,
                    device_id=uuid4(),
                    nonce=uuid4(),
                    voucher_id=voucher_id,
                    code_seq=None,
                    merchant_id=shop,
                    owner_group_of_clerk=None,
                    clerk_id=street.clerk,
                    quantity=1,
                    scanned_at=now,
                    now=now,
                )
        async with sessions.begin() as session:
            lease = await redemption.take_lease(session, COMMUNITY, phone.device_id, lease_id=uuid4(), now=now)
    finally:
        await engine.dispose()
    phone.lease, at = lease.lease_id, datetime.now(UTC)
    keys = code_keys(keyring, at)
    for voucher_id in vouchers:
        code = redemption.phone_code(keys, community_id=COMMUNITY, voucher_id=voucher_id, code_seq=1, now=at)
        phone.scan(voucher_id, code, at)
    return phone


async def publish(
    sessions: Sessions, like: redemption.Offer, staff: UUID, stock: int, now: datetime
) -> redemption.OfferTerms:
    terms = redemption.OfferTerms(
        offer_id=uuid4(),
        sponsor_id=like.sponsor_id,
        merchant_ids=like.merchant_ids,
        title="早餐一份",
        kind=redemption.OfferKind.GOODS,
        price_points=5,
        payable_fen=0,  # the sponsor's budget is promised to the street's own offer
        stock_total=stock,
        per_member_cap=None,
        valid_from=now - timedelta(days=1),
        valid_until=now + timedelta(days=60),
        offline_class=redemption.OfflineClass.LEASED,
    )
    async with sessions.begin() as session:
        await redemption.draft_offer(session, COMMUNITY, terms, actor_id=staff, now=now)
        await redemption.publish_offer(session, COMMUNITY, terms.offer_id, key=uuid4(), actor_id=staff, now=now)
    return terms


async def enrol(sessions: Sessions, shop: UUID, street: Street, now: datetime) -> Phone:
    ticket, phone = hashlib.sha256(b"ticket").digest(), Phone(uuid4(), street.clerk, uuid4())
    async with sessions.begin() as session:
        await redemption.make_ticket(session, COMMUNITY, ticket, merchant_id=shop, actor_id=street.members[0], now=now)
        public = phone.key.public_key().public_bytes_raw()
        await redemption.enrol_device(
            session, COMMUNITY, ticket, device_id=phone.device_id, public_key=public, label="柜台", now=now
        )
    return phone


async def issue(
    sessions: Sessions, street: Street, terms: redemption.OfferTerms, count: int, now: datetime
) -> list[int]:
    vouchers = []
    for number in range(count):
        who = street.members[number % len(street.members)]
        async with sessions.begin() as session:
            issued = await redemption.issue_voucher(
                session,
                COMMUNITY,
                key=uuid4(),
                offer_id=terms.offer_id,
                member_id=who,
                owner_group=uuid4(),
                actor_id=who,
                grace_hours=72,
                now=now,
            )
        vouchers.append(issued.voucher_id)
    return vouchers


def main() -> None:
    words = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    words.add_argument("--records", type=int, default=5_000)
    words.add_argument("--reused", type=int, default=0, help="records of vouchers that were used before")
    chosen = words.parse_args()
    load = [round(value, 1) for value in os.getloadavg()]
    with tempfile.TemporaryDirectory(prefix="linli-bench-") as folder:
        place = Installation(Path(folder))
        place.found()
        with server(place.postgres) as cluster:
            phone = asyncio.run(prepare(cluster.app_url, place, chosen.records, chosen.reused))
        place.start()
        try:
            place.wait_until_ready()
            said: Counter[str] = Counter()
            took = []
            before = cpu_of(place)
            with httpx.Client(base_url=place.origin, timeout=60, trust_env=False) as client:
                for begun in range(0, chosen.records, BATCH):
                    started = time.monotonic()
                    for each in phone.upload(client, phone.texts[begun : begun + BATCH]):
                        said[f"{each['verdict']} {each['reason']}"] += 1
                    took.append(time.monotonic() - started)
            cpu = [round(after - at, 2) for after, at in zip(cpu_of(place), before, strict=True)]
        finally:
            place.close()
    seconds = {"seconds": round(sum(took), 2), "first": round(took[0], 2), "slowest": round(max(took), 2)}
    seconds |= {"cpu_app": cpu[0], "cpu_database": cpu[1]}
    print(json.dumps({"records": chosen.records, **seconds, "answers": dict(said), "load_before": load}))


if __name__ == "__main__":
    main()
