"""Who gives orders out and who sees them: the office, nobody else; and who hears when a job is given to another."""

from datetime import timedelta

import pytest

from service.identity import grant_role
from service.kit.access import Role
from service.kit.clock import local_day
from service.kit.ids import new_id
from service.repairs.rules import RepairState
from service.repairs.tables import RepairOrder
from tests.cast import HERE
from tests.repairs.test_pages import HTML, text, texts


@pytest.fixture
def granted(app):
    """Gives somebody one role more."""

    async def grant(client, role, organisation_id=None):
        async with app.state.sessions.begin() as session:
            await grant_role(
                session,
                actor=None,
                community_id=HERE,
                member_id=client.actor.member_id,
                role=role,
                organisation_id=organisation_id,
                day=local_day(app.state.clock()),
                now=app.state.clock(),
            )

    return grant


async def test_who_leads_activities_sees_no_order_and_gives_none_out(jobs, wei, granted):
    reported = await jobs.post("granny", "/api/repairs", {"text": "水管漏水"}, 201)
    order = f"/api/repairs/{reported['order_id']}"
    given = {"team": str(jobs.team), "repairer": str(jobs.clients["wang"].actor.member_id)}
    # A repairer who leads an activity does not give jobs to the own team either.
    await granted(jobs.clients["wang"], Role.LEADER)
    for leader in (wei, jobs.clients["wang"]):
        assert (await leader.get(order)).status_code == 404
        assert (await leader.get(order.removeprefix("/api"), headers=HTML)).status_code == 404
        assert (await leader.post(f"{order}/assignment", json=given)).status_code == 403
        for url in (
            "/api/desk/repairs",
            f"/api/desk/repairs/{reported['order_id']}/candidates",
            "/api/desk/repairs/month",
        ):
            assert (await leader.get(url)).status_code == 403
        for url in ("", "/list.csv", "/new", "/month", "/skills", f"/{reported['order_id']}"):
            assert (await leader.get(f"/desk/repairs{url}", headers=HTML)).status_code == 403
        assert "/desk/repairs" not in await text(leader, "/home")


async def test_whoever_loses_a_job_hears_of_it(jobs, sun, granted, told):
    path = await jobs.taken()
    await granted(sun, Role.REPAIRER, jobs.team)
    given = {"team": str(jobs.team), "repairer": str(sun.actor.member_id)}
    await jobs.post("wu", f"{path}/assignment", given)
    await jobs.post("wu", f"{path}/assignment", given)
    await told()
    wang = await texts(jobs.clients["wang"])
    assert wang.count("一单维修派给了别的师傅，您不用去了。") == 1
    items = (await jobs.clients["wang"].get("/api/messages")).json()["items"]
    assert [each["url"] for each in items if "别的师傅" in each["text"]] == ["/repairs/jobs"]
    assert "一单维修派给了别的师傅，您不用去了。" not in await texts(sun)


async def test_why_a_repairer_declined_is_for_the_office_alone(jobs):
    path = await jobs.taken()
    await jobs.post("wang", f"{path}/declining", {"reason": "unwell"})
    said = {}
    for who in ("granny", "wu"):
        [line] = [line for line in (await jobs.look(path, who))["history"] if line["step"] == "decline"]
        said[who] = line["note"]
    assert said == {"granny": None, "wu": "unwell"}
    page = path.removeprefix("/api")
    assert "身体不舒服" not in await text(jobs.clients["granny"], page)
    assert "身体不舒服" in await text(jobs.clients["wu"], f"/desk{page}")


async def test_the_desks_list_goes_on_to_the_last_order(app, clock, jobs):
    """More than a page, and more than any list of one person holds."""
    granny, wu = jobs.clients["granny"].actor.member_id, jobs.clients["wu"]
    async with app.state.sessions.begin() as session:
        session.add_all(
            RepairOrder(
                community_id=HERE,
                order_id=new_id(),
                state=RepairState.REPORTED,
                text=f"第 {number} 件",
                is_urgent=number == 0,
                asked_by=granny,
                posted_by=granny,
                posted_at=clock.now + timedelta(minutes=number),
                changed_at=clock.now + timedelta(minutes=number),
            )
            for number in range(210)
        )
    page = (await wu.get("/api/desk/repairs")).json()
    seen = [each["text"] for each in page["items"]]
    while page["next"] and len(seen) < 500:
        page = (await wu.get(f"/api/desk/repairs?after={page['next']}")).json()
        seen += [each["text"] for each in page["items"]]
    assert seen == ["第 0 件", *(f"第 {number} 件" for number in range(209, 0, -1))]
    assert (await wu.get("/api/desk/repairs?shown=closed")).json() == {"items": [], "next": None}
    assert (await wu.get("/api/desk/repairs?trade=water")).json()["items"] == []
