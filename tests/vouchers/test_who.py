"""Every step of a voucher's life by everybody: those whom the table names may, nobody else can, and nothing moves by trying."""

from uuid import UUID, uuid4

import pytest

import redemption
from redemption import TRANSITIONS, Party
from service.kit.access import Role
from tests.cast import HERE, client_of
from tests.vouchers.conftest import scan_of
from tests.vouchers.phone import Phone

PARTIES = {
    "li": {Party.MEMBER},
    "sun": set(),
    "barber": {Party.CLERK},
    "zhou": {Party.OWNER},
    "wang": {Party.REPAIRER},
    "wei": {Party.LEADER},
    "wu": {Party.STAFF, Party.PROXY},
    "zheng": {Party.STAFF, Party.PROXY, Party.SECOND},
    "qian": {Party.FINANCE},
    "he": set(),
}
"""Who is what to Li's voucher. Sun is another member, He may read everything."""
REFUSED = (401, 403, 404, 409)
"""A conflict too: whoever proposed a step may not agree to it."""
BY_NOBODY = {"expire", "merge", "end_cancelling", "reopen"}
"""What only time does, or what comes of a phone's upload, has no address of its own."""
ELSEWHERE = {"close", "refund", "adjust", "reserve", "confirm", "lock", "unlock", "redeem_locked", "change"}
"""Tried by everybody in tests/access, test_settlement.py, test_adjustments.py and, what belongs to a repair, in tests/repairs."""


class Scene:
    """Li's voucher at the barber's, the bakery's and the repairers', and how each step is asked for."""

    def __init__(self, clients, offer_id, voucher, leased, shop):
        self.clients, self.offer_id, self.voucher, self.leased, self.shop = clients, offer_id, voucher, leased, shop
        self.path = f"/api/vouchers/{voucher['voucher_id']}"

    async def issue(self, client):
        given = {"for_member": str(self.clients["li"].actor.member_id)}
        return await client.post(f"/api/offers/{self.offer_id}/vouchers", json=given)

    async def cancel(self, client):
        return await client.post(f"{self.path}/cancellation")

    async def ask_to_cancel(self, client):
        """Another of Li's, which the barber's phone may take without a network."""
        self.voucher = await self.leased()
        self.path = f"/api/vouchers/{self.voucher['voucher_id']}"
        answer = await client.post(f"{self.path}/cancellation")
        assert await self.state() == ("cancel_pending" if answer.is_success else self.before)
        return answer

    async def give(self, client):
        return await client.post(f"{self.path}/gift", json={"card_no": "0012-0003", "name": "陈助人"})

    async def redeem(self, client):
        """By a scan; by staff at the desk, as Wu proposes and this person decides."""
        if client.actor.has(Role.STAFF):
            asked = {
                "voucher_id": self.voucher["voucher_id"],
                "shop": str(self.shop),
                "reason": "本人没有手机",
            }
            made = (await self.clients["wu"].post("/api/desk/use-requests", json=asked)).json()
            return await client.post(f"/api/desk/uses/{made['desk_use_id']}/confirmation")
        return await client.post("/api/scans", json=scan_of(self.voucher["qr"]))

    async def reverse(self, client):
        """Its use by whoever may redeem, or by the barber."""
        scanner = client if client in (self.clients["barber"], self.clients["zhou"]) else self.clients["barber"]
        assert (await scanner.post("/api/scans", json=scan_of(self.voucher["qr"]))).status_code == 200
        self.before = await self.state()
        path = f"/api/shop/uses/{self.voucher['voucher_id']}/1/reversal"
        return await client.post(path, json={"reason": "扫错了"})

    async def freeze(self, client):
        return await client.post(f"{self.path}/freezing", json={"reason": "核实一下"})

    async def unfreeze(self, client):
        assert (await self.freeze(self.clients["wu"])).status_code == 204
        self.before = "frozen"
        return await client.post(f"{self.path}/release", json={"reason": "核实好了"})

    async def void(self, client):
        return await self._second(client, {"step": "void", "reason": "发错了"})

    async def extend(self, client):
        return await self._second(client, {"step": "extend", "reason": "住院了", "last_day": "2027-01-31"})

    async def _second(self, client, asked):
        """Proposed by Wu, decided by this person: the proposer is no second person."""
        made = (await self.clients["wu"].post(f"{self.path}/requests", json=asked)).json()
        return await client.post(f"/api/voucher-requests/{made['request_id']}/confirmation")

    async def state(self):
        return (await self.clients["li"].get(self.path)).json()["state"]


@pytest.fixture
async def scene(app, clock, town, li, sun, barber, zhou, wang, wei, wu, zheng, qian, he, give, offer_of):
    everybody = (li, sun, barber, zhou, wang, wei, wu, zheng, qian, he)
    clients = dict(zip(PARTIES, everybody, strict=True))
    await give(li, 200)
    shops = tuple(town.organisations[name] for name in ("barbershop", "bakery", "team"))
    offer_id = await offer_of(merchant_ids=shops, is_giftable=True)
    taken = await li.post(f"/api/offers/{offer_id}/vouchers", json={}, headers={"idempotency-key": str(uuid4())})

    async def leased():
        offer = await offer_of(offline_class=redemption.OfflineClass.LEASED)
        voucher = (await li.post(f"/api/offers/{offer}/vouchers", json={})).json()
        ticket = (await wu.post("/api/device-tickets", json={"shop": str(town.organisations["barbershop"])})).json()
        async with client_of(app, None) as anonymous:
            phone = Phone(anonymous, clock, barber.actor.member_id)
            phone.device_id = UUID((await phone.enrol(ticket["ticket"])).json()["device_id"])
            assert (await phone.snapshot())["lease"]
        return voucher

    return Scene(clients, offer_id, taken.json(), leased, shops[0])


STEPS: dict[str, set[Party]] = {}
for _transition in TRANSITIONS:
    if _transition.action not in BY_NOBODY | ELSEWHERE:
        STEPS.setdefault(_transition.action, set()).update(_transition.who)


@pytest.mark.slow
@pytest.mark.parametrize("name", PARTIES)
@pytest.mark.parametrize("action", STEPS)
async def test_only_whom_the_table_names(app, scene, action, name):
    scene.before = await scene.state()

    answer = await getattr(scene, action)(scene.clients[name])

    if PARTIES[name] & STEPS[action]:
        assert answer.is_success, answer.text
    else:
        assert answer.status_code in REFUSED, answer.text
        assert await scene.state() == scene.before
    async with app.state.sessions.begin() as session:
        assert await redemption.verify(session, HERE) == []
