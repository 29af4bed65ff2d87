"""A small town that every service test plays in, and its people as signed-in clients.

Two communities, so that every test can ask what the neighbours' neighbours see. The town is founded once into a template
database; a test that asks for any of its people gets a clone of its own, which is thrown away.
"""

from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from litestar import Litestar
from litestar.middleware.csrf import generate_csrf_token
from sqlmodel.ext.asyncio.session import AsyncSession

import ledger
from service import chart, communities, identity
from service.app import create_app
from service.chart import Reason
from service.communities import OrganisationKind
from service.kit.access import Actor, Role
from service.kit.clock import local_day
from service.kit.crypto import Keyring
from service.kit.db import Sessions, make_engine, make_poster, make_sessions
from service.kit.edge import SESSION_COOKIE
from service.kit.ids import new_id
from service.kit.settings import Settings
from tests.db import Database, Steward, in_thread

KEYRING = Keyring(current=1, roots={1: bytes(range(32))})
HERE, ELSEWHERE = 610102001012, 610102001001
START = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)
"""Sunday 10:00 in the community."""

PEOPLE: dict[str, tuple[int, str, str, tuple[Role, ...], str | None]] = {
    "li": (HERE, "0012-0001", "李心愿", (Role.RESIDENT,), None),
    "granny": (HERE, "0012-0002", "李奶奶", (Role.RESIDENT,), None),
    "chen": (HERE, "0012-0003", "陈助人", (Role.RESIDENT, Role.VOLUNTEER), None),
    "sun": (HERE, "0012-0004", "孙乐助", (Role.RESIDENT, Role.VOLUNTEER), None),
    "wang": (HERE, "0012-0005", "王扳手", (Role.RESIDENT, Role.REPAIRER), "team"),
    "zhou": (HERE, "0012-0006", "周面包", (Role.MERCHANT_OWNER,), "bakery"),
    "barber": (HERE, "0012-0007", "李理发", (Role.CLERK,), "barbershop"),
    "zhao": (HERE, "0012-0008", "赵网格", (Role.RESIDENT, Role.GRID_WORKER), None),
    "wu": (HERE, "0012-0009", "吴办事", (Role.STAFF,), None),
    "zheng": (HERE, "0012-0010", "郑复核", (Role.STAFF, Role.APPROVER), None),
    "qian": (HERE, "0012-0011", "钱结算", (Role.FINANCE,), None),
    "feng": (HERE, "0012-0012", "冯复算", (Role.FINANCE, Role.APPROVER), None),
    "he": (HERE, "0012-0013", "何查账", (Role.AUDITOR,), None),
    "wei": (HERE, "0012-0014", "卫领队", (Role.RESIDENT, Role.VOLUNTEER, Role.LEADER), None),
    "jiang": (HERE, "0012-0015", "蒋管家", (Role.ADMIN,), None),
    "tang": (HERE, "0012-0016", "唐楼长", (Role.RESIDENT, Role.STEWARD), None),
    "stranger": (ELSEWHERE, "0001-0001", "外乡人", (Role.RESIDENT, Role.VOLUNTEER), None),
    "stranger_staff": (ELSEWHERE, "0001-0002", "外办事", (Role.STAFF, Role.APPROVER, Role.FINANCE), None),
    "stranger_shop": (ELSEWHERE, "0001-0003", "外店主", (Role.MERCHANT_OWNER,), "elsewhere_shop"),
}
ORGANISATIONS: dict[str, tuple[int, OrganisationKind, str]] = {
    "bakery": (HERE, OrganisationKind.MERCHANT, "周记面包坊"),
    "barbershop": (HERE, OrganisationKind.MERCHANT, "小李理发店"),
    "sponsor": (HERE, OrganisationKind.PARTNER, "西一路爱心联盟"),
    "team": (HERE, OrganisationKind.REPAIR_TEAM, "乐修匠"),
    "elsewhere_shop": (ELSEWHERE, OrganisationKind.MERCHANT, "外乡小店"),
}
UNLIMITED: Mapping[str, Any] = {"session_requests_per_minute": 0, "address_requests_per_minute": 0}
"""For tests that ask as a few people, for minutes, faster than anybody may; tests/kit/test_pace.py has the limits."""
SPONSOR_POINTS, SPONSOR_FEN = 1_000_000, 10_000_000
"""What the sponsor has pledged: 10,000 points and 100,000 yuan."""


class TownClock:
    """The clock of the tests: stands still until it is moved."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def move(self, **by: float) -> datetime:
        """Let time pass: `clock.move(minutes=5)`."""
        self.now += timedelta(**by)
        return self.now


@dataclass(frozen=True, slots=True)
class Town:
    """Who is who, once founded: ids, cookies and actors by the names above."""

    organisations: Mapping[str, UUID]
    cookies: Mapping[str, str]
    actors: Mapping[str, Actor]


class Client(httpx.AsyncClient):
    """A browser, or an API client, of one person."""

    actor: Actor


@dataclass
class _Founded:
    organisations: dict[str, UUID] = field(default_factory=dict)
    cookies: dict[str, str] = field(default_factory=dict)
    members: dict[str, UUID] = field(default_factory=dict)


async def _found(sessions: Sessions) -> _Founded:
    """Two communities, their organisations and people, each person signed in once."""
    made = _Founded()
    day = local_day(START)
    async with sessions.begin() as session:
        for number, name in ((HERE, "兴乐社区"), (ELSEWHERE, "民乐社区")):
            await communities.found_community(
                session,
                number=number,
                name=name,
                street="西一路街道",
                street_code="610102001",
                phone="029-0000-0000",
                now=START,
            )
        for name, (number, kind, title) in ORGANISATIONS.items():
            made.organisations[name] = await communities.open_organisation(
                session,
                community_id=number,
                kind=kind,
                name=title,
                address="1 号楼底商",
                phone="029-0000-0001",
                actor=None,
                now=START,
            )
        for number in (HERE, ELSEWHERE):
            people = []
            for name, (home, card_no, title, roles, organisation) in PEOPLE.items():
                if home == number:
                    made.members[name] = new_id()
                    place = made.organisations[organisation] if organisation else None
                    held = tuple((role, None if role is Role.RESIDENT else place) for role in roles)
                    people.append(identity.NewPerson(made.members[name], card_no, title, roles=held))
            await identity.enrol_people(session, community_id=number, people=people, actor=None, day=day, now=START)
    async with sessions.begin() as session:
        for name, (number, *_) in PEOPLE.items():
            entrance = await identity.enter(
                session, number, made.members[name], device="test", is_shared=False, now=START
            )
            made.cookies[name] = entrance.cookie
        await session.flush()
        budget = chart.budget(made.organisations["sponsor"])
        await ledger.post(
            session,
            HERE,
            ledger.Journal(
                reference="pledge:sponsor",
                reason=Reason.BUDGET_PLEDGED,
                legs=(
                    ledger.Leg(chart.BANK, budget, chart.FEN, SPONSOR_FEN),
                    ledger.Leg(chart.ISSUED, budget, chart.POINT, SPONSOR_POINTS),
                ),
                actor_id=made.members["qian"],
            ),
            now=START,
        )
    return made


async def _founded_town(database: Database) -> Town:
    engine = make_engine(database.app_url)
    try:
        made = await _found(make_sessions(engine, KEYRING))
        actors = {}
        for name, cookie in made.cookies.items():
            actor = await identity.actor_of_cookie(engine, KEYRING, cookie, START)
            assert actor is not None
            actors[name] = actor
        return Town(made.organisations, made.cookies, actors)
    finally:
        await engine.dispose()


@pytest.fixture(scope="session")
def town_template(steward: Steward) -> Iterator[tuple[Town, Steward]]:
    """The founded town, and whoever clones it."""
    with steward.clone() as database:
        town = in_thread(_founded_town(database))
        with Steward(database.socket, database.name, f"{database.name}_town") as cloner:
            yield town, cloner


@pytest.fixture(scope="session")
def the_app(town_template: object) -> Litestar:
    """The app, built once: building it costs more than any test. Each test hangs it on its own database."""
    settings = Settings(worker=False, public_url="https://linli.example.org", **UNLIMITED)
    return create_app(settings, KEYRING, database_url="postgresql://nobody@127.0.0.1:1/none")


@pytest.fixture
def town_database(town_template: tuple[Town, Steward]) -> Iterator[Database]:
    """This test's own copy of the town."""
    with town_template[1].clone() as database:
        yield database


@pytest.fixture
def town(town_template: tuple[Town, Steward]) -> Town:
    """Who is who."""
    return town_template[0]


@pytest.fixture
def clock() -> TownClock:
    """The clock that this test's app and actions read."""
    return TownClock()


@pytest.fixture
async def app(the_app: Litestar, town_database: Database, clock: TownClock) -> AsyncIterator[Litestar]:
    """The app on this test's town; `app.state` has sessions, engine, keyring, clock and worker."""
    engine = make_engine(town_database.app_url, pool_size=24, read_only=the_app.state.read_only)
    the_app.state.engine = engine
    the_app.state.sessions = make_sessions(engine, KEYRING)
    the_app.state.poster = make_poster(the_app.state.sessions)
    the_app.state.clock = clock
    the_app.state.worker.sessions = the_app.state.sessions
    the_app.state.worker.clock = clock
    the_app.state.worker.database_url = town_database.app_url
    yield the_app
    await the_app.state.poster.close()
    await engine.dispose()


@pytest.fixture
async def town_session(app: Litestar) -> AsyncIterator[AsyncSession]:
    """A session of the service in a transaction that commits at the end of the test."""
    async with app.state.sessions.begin() as session:
        yield session


def client_of(app: Litestar, cookie: str | None, actor: Actor | None = None) -> Client:
    """Somebody's browser: cookies kept, the CSRF token sent along, redirects shown and not followed."""
    token = generate_csrf_token(KEYRING.key("csrf").hex())
    client = Client(
        transport=httpx.ASGITransport(app=app, raise_app_exceptions=False, client=("127.0.0.1", 40000)),  # type: ignore[arg-type] # an ASGI app by another name
        base_url="https://linli.example.org",
        headers={"x-csrftoken": token},
        cookies={"csrftoken": token} | ({SESSION_COOKIE: cookie} if cookie else {}),
    )
    if actor is not None:
        client.actor = actor
    return client


def _person(name: str) -> Any:
    @pytest.fixture(name=name)
    async def person(app: Litestar, town: Town) -> AsyncIterator[Client]:
        async with client_of(app, town.cookies[name], town.actors[name]) as client:
            yield client

    return person


@pytest.fixture
async def anon(app: Litestar) -> AsyncIterator[Client]:
    """Nobody in particular."""
    async with client_of(app, None) as client:
        yield client


for _name in PEOPLE:
    globals()[f"_{_name}_client"] = _person(_name)
