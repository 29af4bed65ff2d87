"""A shop's phone, as the server meets it: a key, a log, and calls that are signed."""

import json
from uuid import uuid4

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from redemption.offline.rules import FIRST, record_hash, record_text
from service.vouchers.uploads import to_base64url
from tests.cast import HERE
from tests.vouchers.conftest import code_of


class Phone:
    """The barber's phone: a key, a log, and calls that are signed."""

    def __init__(self, client, clock, clerk):
        self.client, self.clock, self.clerk = client, clock, clerk
        self.key = Ed25519PrivateKey.generate()
        self.seq, self.prev, self.lease, self.device_id = 0, FIRST, None, None

    async def enrol(self, ticket):
        public = self.key.public_key().public_bytes_raw()
        return await self.client.post(
            "/api/devices/enrol",
            json={
                "ticket": ticket,
                "public_key": to_base64url(public),
                "proof": to_base64url(self.key.sign(ticket.encode())),
                "label": "柜台 1",
            },
        )

    async def call(self, what, signed=True, **body):
        now = int(self.clock.now.timestamp() * 1000)
        text = json.dumps({"device_id": str(self.device_id), "community_id": HERE, "sent_at": now, **body})
        signature = to_base64url(self.key.sign(text.encode())) if signed else to_base64url(bytes(64))
        return await self.client.post(
            f"/api/devices/{what}",
            content=text,
            headers={"content-type": "application/json", "linli-signature": signature},
        )

    async def snapshot(self):
        found = (await self.call("snapshot", revocations_after=None)).json()
        self.lease = found["lease"]
        return found

    def scan(self, voucher, **changed):
        self.seq += 1
        now = int(self.clock.now.timestamp() * 1000)
        text = record_text(
            {
                "v": 1,
                "seq": self.seq,
                "prev": self.prev,
                "nonce": str(uuid4()),
                "voucher": voucher["voucher_id"],
                "quantity": 1,
                "code": code_of(voucher, self.clock.now),
                "step": now // 60_000,
                "device_at": now,
                "mono": 1000,
                "trusted_at": now,
                "lease": self.lease["id"] if self.lease else None,
                "clerk": str(self.clerk),
                "class": 1,
                "flags": [],
            }
            | changed
        )
        self.prev = record_hash(text)
        return text

    def undo(self, scanned, **changed):
        earlier = json.loads(scanned)
        self.seq += 1
        now = int(self.clock.now.timestamp() * 1000)
        text = record_text(
            {
                "v": 2,
                "seq": self.seq,
                "prev": self.prev,
                "nonce": str(uuid4()),
                "undoes": earlier["nonce"],
                "voucher": earlier["voucher"],
                "quantity": earlier["quantity"],
                "device_at": now,
                "mono": 1000,
                "trusted_at": now,
                "clerk": str(self.clerk),
                "flags": [],
            }
            | changed
        )
        self.prev = record_hash(text)
        return text

    def exported(self, *records):
        """What the phone shows when it is asked for its queue."""
        now = int(self.clock.now.timestamp() * 1000)
        body = json.dumps(
            {"device_id": str(self.device_id), "community_id": HERE, "sent_at": now, "records": list(records)},
            ensure_ascii=False,
        )
        return to_base64url(self.key.sign(body.encode())) + "\n" + body
