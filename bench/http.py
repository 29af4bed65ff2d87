"""The running service over HTTP: pages, the API and the counter's scan, against the least that the same service can answer.

    ./dev bench http [--rounds N] [--seconds S] [--scans N] [--json FILE]

A community of 3,000 people is founded in a temporary folder and served as `linli serve` does: one process that also
delivers facts, with a durable private database. Keep-alive connections ask one thing after the other, at 1, 8 and 32
connections. Rates depend on the machine and ratios much less, so every round measures every candidate in turn and the
medians are what counts. Client, service and database share the machine's processors; `cpu_ms` is what one request cost
the service and the database, and hardly depends on what else the machine does.

    nothing    GET /health/live, which asks nobody: the yardstick
    home       GET /home, the page with the balances, by somebody with 5,000 lines in the ledger
    passbook   GET /passbook, the newest of these lines
    wallet     GET /api/wallet
    scan       POST /api/scans, each time a voucher that was never used; every connection is another clerk's phone
"""

import argparse
import asyncio
import itertools
import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import uvloop
from litestar.middleware.csrf import generate_csrf_token

import ledger
import redemption
from ledger import Journal, Leg
from service import chart, communities, identity
from service.chart import Reason
from service.communities import OrganisationKind
from service.kit.access import Role
from service.kit.clock import local_day
from service.kit.crypto import Keyring
from service.kit.db import Sessions, make_engine, make_sessions
from service.kit.edge import DEVICE_COOKIE, SESSION_COOKIE
from service.kit.embedded_pg import server
from service.kit.ids import new_id
from tests.crash.installation import COMMUNITY, Installation

CONNECTIONS = (1, 8, 32)
PEOPLE, LINES, SHOPS = 3_000, 5_000, 8
BATCH = 1_000


@dataclass(frozen=True, slots=True)
class Town:
    """What the requests need: sessions of one busy member, sessions of clerks, and vouchers."""

    member: list[str]
    clerks: list[str]
    vouchers: list[int]


class Builder:
    """Founds the people and their things by the same functions that pages call."""

    def __init__(self, sessions: Sessions) -> None:
        self.sessions, self.now = sessions, datetime.now(UTC)

    async def build(self, vouchers: int) -> Town:
        members = [new_id() for _ in range(PEOPLE)]
        clerks = [new_id() for _ in range(max(CONNECTIONS))]
        shops, sponsor = await self.organisations()
        await self.enrol(members, clerks, shops)
        await self.post(members[0], members, sponsor)
        offer = await self.offer(shops, sponsor, members[0], vouchers)
        return Town(
            await self.sign_in([members[0]] * max(CONNECTIONS)),
            await self.sign_in(clerks),
            await self.take(offer, members, vouchers),
        )

    async def organisations(self) -> tuple[list[UUID], UUID]:
        kinds = [(OrganisationKind.MERCHANT, f"店{number}") for number in range(SHOPS)]
        async with self.sessions.begin() as session:
            opened = [
                await communities.open_organisation(
                    session,
                    community_id=COMMUNITY,
                    kind=kind,
                    name=name,
                    address="",
                    phone="",
                    actor=None,
                    now=self.now,
                )
                for kind, name in [*kinds, (OrganisationKind.PARTNER, "联盟")]
            ]
        return opened[:-1], opened[-1]

    async def enrol(self, members: list[UUID], clerks: list[UUID], shops: list[UUID]) -> None:
        people = [
            identity.NewPerson(who, f"0012-{number:04}", f"邻居{number}", roles=((Role.RESIDENT, None),))
            for number, who in enumerate(members, 1000)
        ]
        people += [
            identity.NewPerson(who, f"0013-{number:04}", f"店员{number}", roles=((Role.CLERK, shops[number % SHOPS]),))
            for number, who in enumerate(clerks)
        ]
        async with self.sessions.begin() as session:
            day = local_day(self.now)
            await identity.enrol_people(
                session, community_id=COMMUNITY, people=people, actor=None, day=day, now=self.now
            )

    async def post(self, busy: UUID, members: list[UUID], sponsor: UUID) -> None:
        legs = [Leg(chart.BANK, chart.budget(sponsor), chart.FEN, 1_000_000_000)]
        legs += [Leg(chart.ISSUED, chart.member(who), chart.POINT, 10_000_00) for who in members]
        legs += [Leg(chart.ISSUED, chart.member(busy), chart.POINT, 1_00) for _ in range(LINES)]
        journals = [
            Journal(f"bench:{number}", Reason.OPENING_BALANCE, (leg,), actor_id=None) for number, leg in enumerate(legs)
        ]
        for start in range(0, len(journals), BATCH):
            async with self.sessions.begin() as session:
                verdicts = await ledger.post_many(session, COMMUNITY, journals[start : start + BATCH], now=self.now)
                assert all(isinstance(verdict, ledger.Posted) for verdict in verdicts)

    async def offer(self, shops: list[UUID], sponsor: UUID, drafter: UUID, stock: int) -> UUID:
        terms = redemption.OfferTerms(
            offer_id=new_id(),
            sponsor_id=sponsor,
            merchant_ids=tuple(shops),
            title="理发一次",
            kind=redemption.OfferKind.SERVICE,
            price_points=20,
            payable_fen=100,
            stock_total=stock,
            per_member_cap=None,
            valid_from=self.now - timedelta(days=1),
            valid_until=self.now + timedelta(days=60),
        )
        async with self.sessions.begin() as session:
            await redemption.draft_offer(session, COMMUNITY, terms, actor_id=drafter, now=self.now)
            await redemption.publish_offer(
                session, COMMUNITY, terms.offer_id, key=uuid4(), actor_id=drafter, now=self.now
            )
        return terms.offer_id

    async def sign_in(self, people: list[UUID]) -> list[str]:
        async with self.sessions.begin() as session:
            return [
                (await identity.enter(session, COMMUNITY, who, device="bench", is_shared=False, now=self.now)).cookie
                for who in people
            ]

    async def take(self, offer: UUID, members: list[UUID], count: int) -> list[int]:
        taken = []
        holders = itertools.cycle(members)
        async with self.sessions.begin() as session:
            for who in itertools.islice(holders, count):
                issued = await redemption.issue_voucher(
                    session,
                    COMMUNITY,
                    key=uuid4(),
                    offer_id=offer,
                    member_id=who,
                    owner_group=None,
                    actor_id=who,
                    on_behalf_of=None,
                    grace_hours=72,
                    now=self.now,
                )
                taken.append(issued.voucher_id)
        return taken


@dataclass(frozen=True, slots=True)
class Measured:
    """One candidate at one number of connections in one round."""

    per_second: float
    p50_ms: float
    p99_ms: float
    service_cpu_ms: float
    database_cpu_ms: float


class Bench:
    """Asks the running service."""

    def __init__(self, place: Installation, town: Town, keyring: Keyring) -> None:
        self.place, self.town, self.keyring = place, town, keyring
        self.vouchers = iter(town.vouchers)
        self.token = generate_csrf_token(keyring.key("csrf").hex())
        self.devices = [str(uuid4()) for _ in town.clerks]

    def asking(self, path: str, number: int) -> Iterator[bytes]:
        """The same request for ever."""
        cookie = f"Cookie: {SESSION_COOKIE}={self.town.member[number]}\r\n" if path != "/health/live" else ""
        yield from itertools.repeat(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{cookie}\r\n".encode())

    def scanning(self, number: int) -> Iterator[bytes]:
        """A fresh voucher each time, off the code that its member's phone shows at that moment.

        A code on paper goes a longer way and never together with others (service/vouchers/sql/static.sql).
        """
        keys = redemption.CodeKeys(self.keyring.current, self.keyring.keys("voucher"))
        cookies = {
            SESSION_COOKIE: self.town.clerks[number],
            DEVICE_COOKIE: self.devices[number],
            "csrftoken": self.token,
        }
        head = (
            "POST /api/scans HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            f"X-CSRFToken: {self.token}\r\nCookie: {'; '.join(f'{k}={v}' for k, v in cookies.items())}\r\n"
        )
        for voucher in self.vouchers:
            now = datetime.now(UTC)
            code = redemption.phone_code(keys, community_id=COMMUNITY, voucher_id=voucher, code_seq=1, now=now)
            body = json.dumps({"nonce": str(uuid4()), "code": code})
            yield f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode()

    async def connection(self, requests: Iterator[bytes], until: float, took: list[float]) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.place.port)
        for request in requests:
            start = time.perf_counter()
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200"), head
            length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])
            await reader.readexactly(length)
            took.append(time.perf_counter() - start)
            if time.perf_counter() >= until and len(took) > 1:
                break
        writer.close()

    async def measure(self, name: str, connections: int, seconds: float, scans: int) -> Measured:
        path = {"nothing": "/health/live", "home": "/home", "passbook": "/passbook", "wallet": "/api/wallet"}.get(name)
        took: list[float] = []
        before, start = cpu_of(self.place), time.perf_counter()
        if path is None:
            waiting = iter(range(scans))  # a number of scans in all, because each uses up a voucher
            work = [zip_first(self.scanning(number), waiting) for number in range(connections)]
            until = float("inf")
        else:
            work = [self.asking(path, number) for number in range(connections)]
            until = start + seconds
        await asyncio.gather(*(self.connection(requests, until, took) for requests in work))
        elapsed = time.perf_counter() - start
        hundredths = statistics.quantiles(took, n=100)
        service, database = (after - at for after, at in zip(cpu_of(self.place), before, strict=True))
        return Measured(
            per_second=len(took) / elapsed,
            p50_ms=hundredths[49] * 1000,
            p99_ms=hundredths[98] * 1000,
            service_cpu_ms=service / len(took) * 1000,
            database_cpu_ms=database / len(took) * 1000,
        )


def cpu_of(place: Installation) -> tuple[float, float]:
    """What the service and all processes of its database have used so far, in seconds."""
    assert place.process is not None
    first = place.postmaster()
    # The first process inherits what its children used, once they have ended.
    database = cpu_seconds(first, inherited=True)
    database += sum(cpu_seconds(pid) for pid in place.database_processes() if pid != first)
    return cpu_seconds(place.process.pid), database


def cpu_seconds(pid: int, *, inherited: bool = False) -> float:
    """User and system time of one process, and of its ended children if wanted; nothing when it has just ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    except OSError:
        return 0.0
    return sum(int(field) for field in fields[11 : 15 if inherited else 13]) / os.sysconf("SC_CLK_TCK")


def zip_first(requests: Iterator[bytes], turns: Iterator[int]) -> Iterator[bytes]:
    """As many requests as there are turns left for everybody together."""
    for _ in turns:
        yield next(requests)


NAMES = ("nothing", "home", "passbook", "wallet", "scan")


async def run(bench: Bench, rounds: int, seconds: float, scans: int) -> dict[str, object]:
    """Every candidate in turn, round by round, after one round that warms everything."""
    found: dict[tuple[int, str], list[Measured]] = {}
    for number in range(rounds + 1):
        for connections in CONNECTIONS:
            for name in NAMES:
                measured = await bench.measure(name, connections, seconds, scans)
                if number:
                    found.setdefault((connections, name), []).append(measured)
    return {
        f"{connections} connections": {
            name: summary(found[connections, name], found[connections, "nothing"]) for name in NAMES
        }
        for connections in CONNECTIONS
    }


def summary(found: list[Measured], nothing: list[Measured]) -> dict[str, object]:
    """The medians over the rounds."""

    def median(values: Iterable[float], digits: int) -> float:
        return round(statistics.median(values), digits)

    return {
        "per_second": median((one.per_second for one in found), 0),
        "ratio_to_nothing": median(
            (one.per_second / bare.per_second for one, bare in zip(found, nothing, strict=True)), 3
        ),
        "p50_ms": median((one.p50_ms for one in found), 1),
        "p99_ms": median((one.p99_ms for one in found), 1),
        "cpu_ms": {
            "service": median((one.service_cpu_ms for one in found), 2),
            "database": median((one.database_cpu_ms for one in found), 2),
        },
    }


def machine() -> dict[str, object]:
    """What it ran on, and whether others were at work there."""
    models = [
        line.partition(": ")[2] for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line
    ]
    return {
        "processors": os.cpu_count(),
        "model": models[0] if models else platform.processor(),
        "python": platform.python_version(),
        "load_before": [round(value, 1) for value in os.getloadavg()],
    }


async def prepare(url: str, keyring: Keyring, vouchers: int) -> Town:
    engine = make_engine(url)
    try:
        return await Builder(make_sessions(engine, keyring)).build(vouchers)
    finally:
        await engine.dispose()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--scans", type=int, default=300, help="in each round at each number of connections")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        place = Installation(Path(name))
        result: dict[str, object] = {"machine": machine()}
        start = time.monotonic()
        place.found()
        with server(place.postgres) as cluster:
            vouchers = options.scans * len(CONNECTIONS) * (options.rounds + 1)
            town = asyncio.run(prepare(cluster.app_url, place.keyring(), vouchers))
        result["prepared_in_seconds"] = round(time.monotonic() - start, 1)
        try:
            place.start()
            place.wait_until_ready()
            bench = Bench(place, town, place.keyring())
            result |= uvloop.run(run(bench, options.rounds, options.seconds, options.scans))
            assert place.stop() == 0
        finally:
            place.close()
    text = json.dumps(result, indent=2)
    print(text)
    if options.json:
        options.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
