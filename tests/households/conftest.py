"""A household in a class, and what it is entitled to."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from service.communities import open_buildings
from service.communities.tables import Household, Organisation
from service.kit.ids import new_id
from tests.cast import HERE, KEYRING
from tests.vouchers.conftest import offer_of

__all__ = ["offer_of"]


@pytest.fixture
async def granny_at_home(app, town, clock):
    """Granny Li lives behind a door of her own; answers the household's id."""
    async with app.state.sessions.begin() as session:
        known = await open_buildings(session, community_id=HERE, places=[("一格", "9号楼")], actor=None, now=clock.now)
        household_id = new_id()
        session.add(
            Household(
                community_id=HERE,
                household_id=household_id,
                building_id=known["9号楼"].building_id,
                door_sealed=KEYRING.seal("101", f"household:{HERE}:{household_id.hex}:door"),
                door_index=household_id.bytes,
            )
        )
        await session.flush()
        await session.execute(
            sa.text("UPDATE member SET household_id = :household WHERE community_id = :here AND member_id = :granny"),
            {"household": household_id, "here": HERE, "granny": town.actors["granny"].member_id},
        )
    return household_id


@pytest.fixture
def classify(wu, zheng, granny_at_home, clock):
    """Wu writes a class of Granny's household down, Zheng agrees; it holds from the next day, and that day is today."""

    async def make(kind: str = "lonely") -> str:
        asked = {"card_no": "0012-0002", "kind": kind, "basis": "民政局〔2026〕12号", "is_consented": True}
        made = await wu.post("/api/household-classes", json=asked)
        assert made.status_code == 201, made.text
        agreed = await zheng.post(f"/api/household-classes/{made.json()['id']}/confirmation")
        assert agreed.status_code == 200, agreed.text
        clock.now += timedelta(days=1)
        return str(made.json()["id"])

    return make


async def close(app, organisation_id):
    """An organisation that is no more; no page does it as yet."""
    async with app.state.sessions.begin() as session:
        row = await session.get(Organisation, (HERE, organisation_id))
        row.closed_at = app.state.clock()
