"""People who take vouchers, give them back and have them scanned, who never give up, and who write down what they were told."""

import asyncio
import random
import ssl
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import sqlalchemy as sa
from litestar.middleware.csrf import generate_csrf_token

import ledger
import redemption
from service import chart, communities, identity
from service.chart import Reason
from service.communities import OrganisationKind
from service.kit.access import Role
from service.kit.clock import local_day
from service.kit.crypto import Keyring
from service.kit.db import Sessions, make_engine, make_sessions
from service.kit.edge import DEVICE_COOKIE, SESSION_COOKIE
from service.kit.ids import new_id
from tests.crash.installation import COMMUNITY

PRICE_POINTS, START_POINTS = 20, 50_000
RETRY_SECONDS = 0.05
NOTHING_TO_VERIFY = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""We speak plain HTTP; reading the world's certificates for each of a hundred phones would take seconds."""


@dataclass(frozen=True, slots=True)
class Street:
    """Who is there: members with points, a clerk, and an offer to take."""

    members: list[UUID]
    cookies: list[str]
    clerk_cookie: str
    clerk: UUID
    offer_id: UUID
    budget: str


async def settle_street(url: str, keyring: Keyring, people: int) -> Street:
    """Bring people, a shop, a sponsor and an offer into the founded community."""
    engine = make_engine(url)
    try:
        return await _settle(make_sessions(engine, keyring), people)
    finally:
        await engine.dispose()


async def _settle(sessions: Sessions, people: int) -> Street:
    now = datetime.now(UTC)
    members = [new_id() for _ in range(people)]
    clerk = new_id()
    async with sessions.begin() as session:
        shop, sponsor = [
            await communities.open_organisation(
                session, community_id=COMMUNITY, kind=kind, name=name, address="", phone="", actor=None, now=now
            )
            for kind, name in ((OrganisationKind.MERCHANT, "小李理发店"), (OrganisationKind.PARTNER, "西一路爱心联盟"))
        ]
        enrolled = [
            identity.NewPerson(member, f"0012-{number + 1000}", f"邻居{number}", roles=((Role.RESIDENT, None),))
            for number, member in enumerate(members)
        ]
        enrolled.append(identity.NewPerson(clerk, "0012-0500", "李理发", roles=((Role.CLERK, shop),)))
        await identity.enrol_people(
            session, community_id=COMMUNITY, people=enrolled, actor=None, day=local_day(now), now=now
        )
    async with sessions.begin() as session:
        cookies = [
            (await identity.enter(session, COMMUNITY, who, device="test", is_shared=False, now=now)).cookie
            for who in [*members, clerk]
        ]
    await _open_offer(sessions, members, shop, sponsor, offer_id := new_id(), now)
    return Street(members, cookies[:-1], cookies[-1], clerk, offer_id, chart.budget(sponsor))


async def _open_offer(
    sessions: Sessions, members: list[UUID], shop: UUID, sponsor: UUID, offer_id: UUID, now: datetime
) -> None:
    gifts = [ledger.Leg(chart.ISSUED, chart.member(member), chart.POINT, START_POINTS * 100) for member in members]
    async with sessions.begin() as session:
        journals = [
            ledger.Journal(
                reference="pledge",
                reason=Reason.BUDGET_PLEDGED,
                legs=(ledger.Leg(chart.BANK, chart.budget(sponsor), chart.FEN, 10_000_000),),
                actor_id=None,
            ),
            *(
                ledger.Journal(f"opening:{number}", Reason.OPENING_BALANCE, (leg,), actor_id=None)
                for number, leg in enumerate(gifts)
            ),
        ]
        posted = await ledger.post_many(session, COMMUNITY, journals, now=now)
        assert all(isinstance(verdict, ledger.Posted) for verdict in posted), posted
    async with sessions.begin() as session:
        terms = redemption.OfferTerms(
            offer_id=offer_id,
            sponsor_id=sponsor,
            merchant_ids=(shop,),
            title="理发一次",
            kind=redemption.OfferKind.SERVICE,
            price_points=PRICE_POINTS,
            payable_fen=100,
            stock_total=100_000,
            per_member_cap=None,
            valid_from=now - timedelta(days=1),
            valid_until=now + timedelta(days=60),
        )
        await redemption.draft_offer(session, COMMUNITY, terms, actor_id=members[0], now=now)
        await redemption.publish_offer(session, COMMUNITY, offer_id, key=uuid4(), actor_id=members[0], now=now)


@dataclass(slots=True)
class Told:
    """One act and the answer that finally came."""

    path: str
    body: dict[str, Any]
    key: str
    status: int
    answer: dict[str, Any]
    tries: int


@dataclass
class Crowd:
    """Everybody at once. `told` is what they would swear to afterwards; `seen` counts every answer, also the passing ones."""

    origin: str
    street: Street
    keyring: Keyring
    told: list[Told] = field(default_factory=list)
    seen: Counter[str] = field(default_factory=Counter)
    asked_again: list[Told] = field(default_factory=list)
    going: bool = True
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)

    def client(self, cookie: str) -> httpx.AsyncClient:
        """Somebody's phone."""
        token = generate_csrf_token(self.keyring.key("csrf").hex())
        cookies = {"csrftoken": token, SESSION_COOKIE: cookie, DEVICE_COOKIE: str(uuid4())}
        return httpx.AsyncClient(
            base_url=self.origin,
            headers={"x-csrftoken": token},
            cookies=cookies,
            timeout=15,
            trust_env=False,
            verify=NOTHING_TO_VERIFY,
        )

    async def ask(self, client: httpx.AsyncClient, path: str, body: dict[str, Any], *, is_again: bool = False) -> Told:
        """Ask with one key until somebody answers: silence and 503 both mean that it may or may not have happened."""
        key, tries = uuid4().hex, 0
        while True:
            tries += 1
            try:
                answer = await client.post(path, json=body, headers={"idempotency-key": key})
            except httpx.TransportError as problem:
                self.seen[type(problem).__name__] += 1
            else:
                self.seen[str(answer.status_code)] += 1
                if answer.status_code != 503:
                    told = Told(path, body, key, answer.status_code, answer.json() if answer.content else {}, tries)
                    (self.asked_again if is_again else self.told).append(told)
                    async with self._news:
                        self._news.notify_all()
                    return told
            await asyncio.sleep(RETRY_SECONDS)

    async def until(self, more: int) -> None:
        """Wait until so many more acts were answered."""
        goal = len(self.told) + more
        async with self._news:
            await self._news.wait_for(lambda: len(self.told) >= goal)

    async def live(self, number: int) -> None:
        """One member's day."""
        chance = random.Random(number)
        async with self.client(self.street.cookies[number]) as mine, self.client(self.street.clerk_cookie) as shop:
            while self.going:
                taken = await self.ask(mine, f"/api/offers/{self.street.offer_id}/vouchers", {})
                if taken.status != 201:
                    return
                voucher = int(taken.answer["voucher_id"])
                match chance.randrange(3):
                    case 0:
                        await self.ask(mine, f"/api/vouchers/{voucher}/cancellation", {})
                    case 1:
                        await self.ask(shop, "/api/scans", {"nonce": str(uuid4()), "code": self.paper(voucher)})
                    case _:
                        pass

    async def redeem(self, number: int) -> None:
        """One member's vouchers, each scanned at once; every third scan is asked for a second time under its number."""
        chance = random.Random(number)
        async with self.client(self.street.cookies[number]) as mine, self.client(self.street.clerk_cookie) as shop:
            while self.going:
                taken = await self.ask(mine, f"/api/offers/{self.street.offer_id}/vouchers", {})
                if taken.status != 201:
                    return
                scan = {"nonce": str(uuid4()), "code": self.paper(int(taken.answer["voucher_id"]))}
                await self.ask(shop, "/api/scans", scan)
                if chance.randrange(3) == 0:
                    await self.ask(shop, "/api/scans", scan, is_again=True)

    def paper(self, voucher: int) -> str:
        """The code on a printed voucher, which does not change by the minute."""
        keys = redemption.CodeKeys(self.keyring.current, self.keyring.keys("voucher"))
        return redemption.printed_code(keys, community_id=COMMUNITY, voucher_id=voucher, code_seq=1)

    def by_ending(self, ending: str) -> list[Told]:
        """The acts whose path ends so."""
        return [act for act in self.told if act.path.endswith(ending)]


async def books(url: str, keyring: Keyring, street: Street) -> dict[str, Any]:
    """What the database says happened, and what everybody has."""
    engine = make_engine(url)
    try:
        async with make_sessions(engine, keyring).begin() as session:
            vouchers = (await session.execute(sa.text("SELECT voucher_id, state FROM redemption.voucher"))).all()
            uses = (await session.execute(sa.text("SELECT voucher_id, nonce::text FROM redemption.use"))).all()
            facts = (await session.execute(sa.text("SELECT fact, count(*) FROM outbox GROUP BY fact"))).all()
            points = [
                await ledger.balance(session, COMMUNITY, chart.member(member), chart.POINT) for member in street.members
            ]
            return {
                "vouchers": dict(vouchers),
                "uses": list(uses),
                "facts": dict(facts),
                "points": points,
                "faults": await ledger.verify(session),
            }
    finally:
        await engine.dispose()
