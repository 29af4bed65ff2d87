"""Whoever may keep classes and is refused leaves a line, which stays when the request's own work goes back, and says no class."""

import pytest
import sqlalchemy as sa

from service.households.rules import HouseholdKind
from tests.cast import HERE
from tests.households.test_classes import ASKED, CARD

PAGE = "/desk/households"
HTML = {"accept": "text/html"}


@pytest.fixture
def live_together(app, town, granny_at_home):
    """Makes somebody of the staff one of Granny's household."""

    async def make(name):
        async with app.state.sessions.begin() as session:
            await session.execute(
                sa.text("UPDATE member SET household_id = :household WHERE community_id = :here AND member_id = :who"),
                {"household": granny_at_home, "here": HERE, "who": town.actors[name].member_id},
            )

    return make


async def refused(app):
    """The lines of it, the oldest first."""
    async with app.state.sessions.begin() as session:
        found = await session.execute(
            sa.text(
                "SELECT replace(action, 'households.', ''), object_kind, object_id, detail ->> 'code' FROM audit"
                " WHERE action IN ('households.look_refused', 'households.change_refused') ORDER BY audit_id"
            )
        )
        return [tuple(row) for row in found]


async def test_each_refused_look_and_change_is_a_line(app, he, wu, zheng, granny_at_home, live_together):
    made = (await wu.post("/api/household-classes", json=ASKED)).json()["id"]
    assert (await wu.post(f"/api/household-classes/{made}/confirmation")).status_code == 409
    await live_together("wu")
    assert (await wu.get(f"/api/household-classes/of/{CARD}")).status_code == 409
    assert (await wu.get(f"/api/households/{granny_at_home}/classes")).status_code == 409
    assert (await wu.post("/api/household-classes", json=ASKED | {"kind": "lonely"})).status_code == 409
    assert (await wu.post(f"/api/household-classes/{made}/refusal")).status_code == 409
    assert (await wu.get("/api/household-classes/of/0012-9999")).status_code == 404
    assert (await zheng.post(f"/api/household-classes/{made}/confirmation")).status_code == 200
    assert (await zheng.post(f"/api/household-classes/{made}/confirmation")).status_code == 409

    home = granny_at_home
    assert await refused(app) == [
        ("change_refused", "household_class", made, "households.second_person_needed"),
        ("look_refused", "household", str(home), "households.own_household"),
        ("look_refused", "household", str(home), "households.own_household"),
        ("change_refused", "household", str(home), "households.own_household"),
        ("change_refused", "household_class", made, "households.own_household"),
        ("look_refused", "household", "unknown", "households.member_unknown"),
        ("change_refused", "household_class", made, "households.class_decided"),
    ]
    said = (await he.get("/api/audit?action=households.")).text
    assert not any(f'"{kind.value}"' in said for kind in HouseholdKind)
    assert ASKED["basis"] not in said


async def test_the_pages_leave_them_too_and_the_auditor_sees_them(app, he, wu, granny_at_home, live_together):
    made = (await wu.post("/api/household-classes", json=ASKED)).json()["id"]
    await live_together("wu")
    assert (await wu.get(f"{PAGE}?card={CARD}", headers=HTML)).status_code == 409
    assert (await wu.get(f"{PAGE}/{granny_at_home}", headers=HTML)).status_code == 409
    form = {"card_no": CARD, "kind": "lonely", "basis": "低保证 1", "is_consented": "1", "_key": "a"}
    assert (await wu.post(f"{PAGE}/classes", data=form)).status_code == 409
    assert (await wu.post(f"{PAGE}/classes/{made}/agree", data={"_key": "b"})).status_code == 409

    assert [line[0] for line in await refused(app)] == ["look_refused"] * 2 + ["change_refused"] * 2
    page = (await he.get("/desk/audit?action=households.", headers=HTML)).text
    assert "想看住户类别，没有让看" in page
    assert "想改住户类别，没有让改" in page


async def test_a_form_filled_in_wrongly_is_no_attempt(app, wu, granny_at_home):
    await wu.post("/api/household-classes", json=ASKED | {"is_consented": False})

    assert await refused(app) == []
