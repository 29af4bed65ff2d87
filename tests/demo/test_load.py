"""The demo loads whole, the books are clean, and the cast can come in."""

from collections.abc import AsyncIterator, Iterator
from datetime import datetime

import pytest
import sqlalchemy as sa

import ledger
import redemption
from service import communities, identity, records
from service.demo import SIGN_INS, is_demo, load_demo
from service.demo.cast import CAST, ELSEWHERE, HERE, PIN
from service.identity.actions_sign_in import sign_in
from service.kit.access import Role
from service.kit.clock import local_day
from service.kit.db import Sessions, make_engine, make_sessions
from tests.cast import KEYRING, START
from tests.db import Database, Steward, in_thread

pytestmark = pytest.mark.slow

NOW: datetime = START


@pytest.fixture(scope="module")
def loaded(steward: Steward) -> Iterator[Database]:
    """A database with the demo in it, loaded once for all these tests; they only look."""
    with steward.clone() as database:
        in_thread(_load(database))
        yield database


async def _load(database: Database) -> None:
    engine = make_engine(database.app_url)
    try:
        said: list[str] = []
        await load_demo(make_sessions(engine, KEYRING), KEYRING, NOW, said.append)
        assert said
    finally:
        await engine.dispose()


@pytest.fixture
async def street(loaded: Database) -> AsyncIterator[Sessions]:
    engine = make_engine(loaded.app_url)
    yield make_sessions(engine, KEYRING)
    await engine.dispose()


async def test_the_books_are_clean_and_the_database_says_that_it_is_a_demo(street: Sessions) -> None:
    async with street.begin() as session:
        assert await is_demo(session)
        assert list(await ledger.verify(session)) == []
        assert list(await redemption.verify(session, HERE)) == []


async def test_an_empty_database_is_no_demo(sessions: Sessions) -> None:
    async with sessions.begin() as session:
        assert not await is_demo(session)


async def test_it_is_the_real_street_with_six_thousand_people_in_one_community(street: Sessions) -> None:
    async with street.begin() as session:
        found = await communities.communities(session)
        grids = (await session.execute(sa.text("SELECT count(*) FROM grid"))).scalar_one()
        people = await identity.all_particulars(session, HERE)
        neighbours = await identity.all_particulars(session, ELSEWHERE)

    assert (len(found), grids, len(people), len(neighbours)) == (8, 81, 6000, 4)
    assert {place.name for place in found} >= {"兴乐社区", "民乐社区", "西三路社区"}
    assert len({item.name for item in people}) > 5900
    assert all(item.phone is None or item.phone.startswith("+86199") for item in people)


async def test_every_one_of_the_cast_can_come_in(street: Sessions) -> None:
    for part in CAST:
        entrance = await sign_in(
            street, KEYRING, typed=part.card_no, secret=PIN, address="demo", device="test", is_shared=False, now=NOW
        )
        assert entrance.community_id == HERE
    assert any("李心愿" in line for line in SIGN_INS)


async def test_the_cast_holds_its_roles_and_acts_for_its_organisations(street: Sessions) -> None:
    day = local_day(NOW)
    async with street.begin() as session:
        shops = {item.name: item.organisation_id for item in await communities.organisations(session, HERE)}
        owners = await identity.organisation_people(session, HERE, shops["周记面包坊"], day)
        rows = await identity.members_by_card(session, HERE, [part.card_no for part in CAST])
        roles = await identity.roles_by_member(session, HERE, [row.member_id for row in rows.values()], day)
        prices = await communities.prices_on(session, HERE, shops["乐修匠"], day)

    held = {part.handle: {role for role, _ in roles[rows[part.card_no].member_id]} for part in CAST}
    assert [role for _, role in owners] == [Role.MERCHANT_OWNER]
    assert held["wu"] == {Role.RESIDENT, Role.STAFF}
    assert held["feng"] == {Role.RESIDENT, Role.FINANCE, Role.APPROVER}
    assert held["wei"] == {Role.RESIDENT, Role.VOLUNTEER, Role.LEADER}
    assert held["tang"] == {Role.RESIDENT, Role.STEWARD}
    assert len(prices) == 11


async def test_there_is_a_wish_in_every_state_and_hours_to_review(street: Sessions) -> None:
    async with street.begin() as session:
        states = set((await session.execute(sa.text("SELECT DISTINCT state FROM wish"))).scalars())
        waiting = (await session.execute(sa.text("SELECT count(*) FROM attendance WHERE state = 'done'"))).scalar_one()
        ahead = (
            await session.execute(sa.text("SELECT count(*) FROM shift WHERE starts_at > :now"), {"now": NOW})
        ).scalar_one()

    assert states >= {
        "posted",
        "approved",
        "claimed",
        "served",
        "confirmed",
        "returned",
        "withdrawn",
        "disputed",
        "expired",
    }
    assert waiting == 3
    assert ahead >= 3


async def test_next_door_points_expire_and_here_they_do_not(street: Sessions) -> None:
    async with street() as session:
        outsider = (await identity.members_by_card(session, ELSEWHERE, ["0001-0001"]))["0001-0001"].member_id
        lots = await ledger.lots(session, ELSEWHERE, f"member:{outsider.hex}", "point")
        rules = [await ledger.expiry_policies(session, place, "point") for place in (HERE, ELSEWHERE)]

    assert [lot.expires_at is not None and lot.expires_at > NOW for lot in lots] == [True]
    assert [len(each) for each in rules] == [0, 1]


async def test_chen_has_hours_points_to_spend_and_vouchers(street: Sessions) -> None:
    async with street.begin() as session:
        chen = (await identity.members_by_card(session, HERE, ["0012-0003"]))["0012-0003"].member_id
        minutes = await records.record_minutes(session, HERE, chen)
        points = await ledger.balance(session, HERE, f"member:{chen.hex}", "point")
        held = (await redemption.vouchers_of(session, HERE, chen)).vouchers

    assert minutes >= 24 * 60
    assert points >= 1_000
    assert len(held) == 2


async def test_both_counters_had_weeks_and_repairs_are_on_their_way(street: Sessions) -> None:
    async with street.begin() as session:
        uses = (await session.execute(sa.text("SELECT count(*) FROM redemption.use"))).scalar_one()
        statements = set((await session.execute(sa.text("SELECT state FROM redemption.settlement"))).scalars())
        orders = set((await session.execute(sa.text("SELECT state FROM repair_order"))).scalars())

    assert uses >= 45
    assert statements == {"CLOSED", "CONFIRMED"}
    assert orders == {"reported", "quoted", "on_site"}
