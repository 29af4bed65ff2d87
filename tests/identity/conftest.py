"""People with PINs, phones and codes."""

from collections.abc import Awaitable, Callable
from uuid import UUID

import pytest
from litestar import Litestar

from service import identity
from service.kit.access import Role
from service.kit.clock import local_day
from service.kit.ids import new_id
from tests.cast import HERE, Client, TownClock

PIN = "135791"
PHONE = "13812345678"


@pytest.fixture
async def with_pin(app: Litestar, li: Client) -> Client:
    """Li has chosen a PIN."""
    async with app.state.sessions.begin() as session:
        await identity.set_secret(
            session, community_id=HERE, member_id=li.actor.member_id, secret=PIN, now=app.state.clock()
        )
    return li


@pytest.fixture
def code_for(app: Litestar, clock: TownClock) -> Callable[[Client], Awaitable[str]]:
    """A fresh activation code for somebody."""

    async def issue(whom: Client) -> str:
        async with app.state.sessions.begin() as session:
            member_id = whom.actor.member_id
            codes = await identity.issue_activations(
                session, community_id=whom.actor.community_id, actor=None, member_ids=[member_id], now=clock.now
            )
            return codes[member_id]

    return issue


@pytest.fixture
def enrol(app: Litestar, clock: TownClock) -> Callable[..., Awaitable[UUID]]:
    """Somebody new with a phone that signs in, and with a PIN."""

    async def do(community_id: int, card_no: str, name: str, pin: str | None, phone: str = PHONE) -> UUID:
        member_id = new_id()
        person = identity.NewPerson(
            member_id,
            card_no,
            name,
            phone=identity.normal_phone(phone),
            login_phone=True,
            roles=((Role.RESIDENT, None),),
        )
        async with app.state.sessions.begin() as session:
            await identity.enrol_people(
                session, community_id=community_id, people=[person], actor=None, day=local_day(clock.now), now=clock.now
            )
        if pin is not None:
            async with app.state.sessions.begin() as session:
                await identity.set_secret(
                    session, community_id=community_id, member_id=member_id, secret=pin, now=clock.now
                )
        return member_id

    return do


@pytest.fixture
async def pins(app: Litestar, jiang: Client, qian: Client, wu: Client, zheng: Client, feng: Client, he: Client) -> None:
    """Everybody of the office has a PIN."""
    async with app.state.sessions.begin() as session:
        for whom in (jiang, qian, wu, zheng, feng, he):
            await identity.set_secret(
                session, community_id=HERE, member_id=whom.actor.member_id, secret=PIN, now=app.state.clock()
            )
