"""Approval in bulk at the ledger's door: many at once, two at once, one person's day, and what breaks half-way."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import httpx
import msgspec
import pytest
import sqlalchemy as sa
from litestar import Litestar
from sqlmodel import col

import ledger
from service import chart
from service.facts import AttendanceApproved
from service.hours import actions
from service.hours.rules import AttendanceState, How, Verdict
from service.hours.tables import Attendance
from service.identity import NewPerson, enrol_people
from service.kit.access import Role
from service.kit.db import make_engine, make_poster, make_sessions
from service.kit.ids import new_id
from service.records import RecordKind, Service, ServiceClass, record_services
from service.wallet.verify import verify_books
from tests.cast import HERE, KEYRING, Client
from tests.db import Database
from tests.hours.conftest import MONDAY_NINE, decide, purse
from tests.proxy import Fault, standing_before
from tests.vouchers.conftest import code_of, scan_of

pytestmark = pytest.mark.anyio
Item = dict[str, object]


async def volunteers(app: Litestar, number: int) -> list[UUID]:
    people = [NewPerson(new_id(), f"0098-{n:04}", f"志愿者{n}", roles=((Role.VOLUNTEER, None),)) for n in range(number)]
    async with app.state.sessions.begin() as session:
        await enrol_people(
            session, community_id=HERE, people=people, actor=None, day=MONDAY_NINE.date(), now=MONDAY_NINE
        )
    return [person.member_id for person in people]


async def waiting(
    app: Litestar, shift: UUID, people: Sequence[UUID], *, at: datetime = MONDAY_NINE, minutes: int = 120
) -> list[Item]:
    """Each of them served a shift, and their hours wait."""
    left = at + timedelta(minutes=minutes)
    rows = [
        Attendance(
            community_id=HERE,
            attendance_id=new_id(),
            shift_id=shift,
            member_id=member_id,
            state=AttendanceState.DONE,
            served_on=MONDAY_NINE.date(),
            checked_in_at=at,
            checked_out_at=left,
            how_in=How.ROTATING,
            how_out=How.ROTATING,
            checked_in_by=member_id,
            awaits_confirmation=False,
            planned_minutes=minutes,
            minutes=minutes,
            done_at=left,
        )
        for member_id in people
    ]
    async with app.state.sessions.begin() as session:
        session.add_all(rows)
    app.state.clock.now = max(app.state.clock.now, MONDAY_NINE + timedelta(hours=14))
    return [{"attendance_id": str(row.attendance_id), "revision": 1} for row in rows]


async def an_hour_each(app: Litestar, make_shift, member_id: UUID, shifts: int) -> list[Item]:
    """One person served so many shifts of an hour, one after the other on one day."""
    hours = [MONDAY_NINE + timedelta(hours=hour) for hour in range(shifts)]
    made = [await make_shift(at, minutes=60) for at in hours]
    rows = [await waiting(app, shift, [member_id], at=at, minutes=60) for shift, at in zip(made, hours, strict=True)]
    return [item for row in rows for item in row]


async def counts(app: Litestar) -> tuple[int, int, int, int]:
    """Records, times, lines of the audit and facts about approvals."""
    queries = (
        "SELECT count(*) FROM service_record WHERE corrects IS NULL",
        "SELECT count(*) FROM service_time",
        "SELECT count(*) FROM audit WHERE action = 'hours.approved'",
        "SELECT count(*) FROM outbox WHERE fact = 'AttendanceApproved'",
    )
    async with app.state.sessions() as session:
        found = [(await session.execute(sa.text(query))).scalar_one() for query in queries]
    return found[0], found[1], found[2], found[3]


async def faults(app: Litestar) -> list[object]:
    async with app.state.sessions() as session:
        return [*await ledger.verify(session, HERE), *await verify_books(session, HERE)]


def verdicts_of(answer: httpx.Response) -> dict[str, str]:
    assert answer.status_code == 200, answer.text
    return dict(answer.json()["verdicts"])


async def test_three_hundred_rows_beside_others_with_a_pool_of_four(
    app, zheng: Client, wu: Client, feng: Client, li: Client, phone, give, offer_of, make_shift, town_database: Database
) -> None:
    """Other approvals and the scans of a shop at the same moment: whoever waits at the door holds no connection."""
    items = await waiting(app, await make_shift(places=400), await volunteers(app, 390))
    await give(li, 100)
    url = f"/api/offers/{await offer_of()}/vouchers"
    vouchers = [(await li.post(url, json={}, headers={"idempotency-key": f"{n}"})).json() for n in range(5)]
    await app.state.poster.close()
    small = make_engine(town_database.app_url, pool_size=4, read_only=app.state.read_only)
    app.state.engine, app.state.sessions = small, make_sessions(small, KEYRING)
    app.state.poster = make_poster(app.state.sessions)

    async def scan(voucher: dict[str, object]) -> int:
        await asyncio.sleep(0.05)
        answer = await phone.post("/api/scans", json=scan_of(code_of(voucher, app.state.clock.now)))
        return int(answer.status_code)

    answers, scans = await asyncio.wait_for(
        asyncio.gather(
            asyncio.gather(
                decide(zheng, "approve", *items[:300]),
                decide(wu, "approve", *items[300:360]),
                *(decide(feng, "approve", item) for item in items[360:]),
            ),
            asyncio.gather(*map(scan, vouchers)),
        ),
        timeout=60,
    )

    assert Counter(verdict for answer in answers for verdict in verdicts_of(answer).values()) == {"done": 390}
    assert scans == [200] * 5
    assert await counts(app) == (390, 390, 390, 390)
    async with app.state.sessions() as session:
        assert await ledger.balance(session, HERE, chart.ISSUED, chart.MINUTE) == -390 * 120
    assert await faults(app) == []
    await small.dispose()


async def test_two_reviewers_approve_the_same_hundred_rows(app, zheng: Client, wu: Client, make_shift) -> None:
    items = await waiting(app, await make_shift(places=200), await volunteers(app, 100))

    answers = await asyncio.gather(decide(zheng, "approve", *items), decide(wu, "approve", *reversed(items)))

    told = [verdicts_of(answer) for answer in answers]
    assert Counter(told[0].values()) + Counter(told[1].values()) == {"done": 100, "stale": 100}
    async with app.state.sessions() as session:
        rows = await session.execute(sa.select(col(Attendance.attendance_id), col(Attendance.reviewed_by)))
        mine = {str(row.attendance_id): row.reviewed_by for row in rows}
    for client, each in zip((zheng, wu), told, strict=True):
        assert {key for key, verdict in each.items() if verdict == "done"} == {
            key for key, by in mine.items() if by == client.actor.member_id
        }
    assert await counts(app) == (100, 100, 100, 100)
    assert await faults(app) == []


@pytest.mark.parametrize("pressed", [1, 2])
async def test_ten_hours_of_one_day_bring_eight(
    app, zheng: Client, wu: Client, chen: Client, make_shift, pressed
) -> None:
    """In one press, or half of them by each of two people at the same moment."""
    items = await an_hour_each(app, make_shift, chen.actor.member_id, 10)

    if pressed == 1:
        answers = [await decide(zheng, "approve", *items)]
    else:
        both = asyncio.gather(decide(zheng, "approve", *items[::2]), decide(wu, "approve", *items[1::2]))
        answers = list(await both)

    assert Counter(verdict for answer in answers for verdict in verdicts_of(answer).values()) == {"done": 10}
    assert await purse(app, chen) == (480, 480, 800)
    assert (await counts(app))[2:] == (10, 10)
    assert await faults(app) == []


async def test_an_hour_that_counts_elsewhere_stays_in_the_inbox(app, zheng: Client, chen: Client, make_shift) -> None:
    items = await an_hour_each(app, make_shift, chen.actor.member_id, 3)
    other = Service(
        member_id=chen.actor.member_id,
        minutes=30,
        kind=RecordKind.CREDITED,
        service_class=ServiceClass.GENERAL,
        title="陪诊",
        source="wish:1",
        reference="wish:1:confirmed",
        served_on=MONDAY_NINE.date(),
        served_from_at=MONDAY_NINE + timedelta(minutes=70),
        served_until_at=MONDAY_NINE + timedelta(minutes=100),
    )
    async with app.state.sessions.begin() as session:
        await record_services(session, community_id=HERE, services=[other], actor=zheng.actor, now=app.state.clock.now)

    told = verdicts_of(await decide(zheng, "approve", *items))

    assert list(told.values()) == ["done", "time_taken", "done"]
    shown = (await zheng.get("/api/attendances", params={"view": "odd"})).json()["items"]
    assert [row["attendance_id"] for row in shown] == [items[1]["attendance_id"]]
    assert await purse(app, chen) == (150, 150, 250)
    assert await faults(app) == []


@pytest.mark.parametrize("fault", [Fault.CUT_BEFORE, Fault.CUT_AFTER])
@pytest.mark.parametrize("cut_after", [3, 6, 9, 12, 15])
async def test_what_broke_off_half_way_is_finished_by_the_same_key(
    app, zheng: Client, make_shift, town_database: Database, fault: Fault, cut_after: int
) -> None:
    """Every connection is cut for a while in the middle of it; the browser asks again with the same key."""
    items = await waiting(app, await make_shift(places=200), await volunteers(app, 40))
    sessions, engine, poster = app.state.sessions, app.state.engine, app.state.poster
    broken = set(range(cut_after, cut_after + 3))
    async with standing_before(town_database.socket, fault=lambda n: fault if n in broken else None) as proxy:
        lossy = make_engine(proxy.url("linli_app", town_database.name), pool_size=4, read_only=app.state.read_only)
        app.state.engine, app.state.sessions = lossy, make_sessions(lossy, KEYRING)
        app.state.poster = make_poster(app.state.sessions)
        body = {"items": items}
        answers: list[httpx.Response] = []
        while not answers or answers[-1].status_code == 503:
            assert len(answers) < 10
            answers.append(
                await zheng.post("/api/attendances/approve", json=body, headers={"idempotency-key": "press"})
            )
        again = await zheng.post("/api/attendances/approve", json=body, headers={"idempotency-key": "press"})
        await app.state.poster.close()
        await lossy.dispose()
    app.state.engine, app.state.sessions, app.state.poster = engine, sessions, poster

    assert proxy.met[fault]
    assert Counter(verdicts_of(answers[-1]).values()) == {"done": 40}
    assert again.json() == answers[-1].json()
    assert await counts(app) == (40, 40, 40, 40)
    assert await faults(app) == []
    undone = await zheng.post(f"/api/reviews/{answers[-1].json()['review_id']}/undo")
    assert undone.json() == {"undone": 40}


async def test_a_process_that_dies_half_way_leaves_whole_rows_and_the_same_key_goes_on(
    app, zheng: Client, make_shift
) -> None:
    items = await waiting(app, await make_shift(places=200), await volunteers(app, 60))
    by_eights = ledger.Limits(journals=8, posters=1)
    dying = ledger.GroupPoster(app.state.poster.session, app.state.poster.comes_again, by_eights)
    alive, app.state.poster = app.state.poster, dying
    body, key = {"items": items}, {"idempotency-key": "press"}

    press = asyncio.create_task(zheng.post("/api/attendances/approve", json=body, headers=key))
    while not (await counts(app))[0]:
        pass  # each look is a round trip, in which the others go on
    press.cancel()
    await dying.close(patience_seconds=0)
    done = await counts(app)
    app.state.poster = alive
    first, again = [await zheng.post("/api/attendances/approve", json=body, headers=key) for _ in range(2)]

    assert 0 < done[0] < 60
    assert len(set(done)) == 1
    assert Counter(verdicts_of(first).values()) == {"done": 60}
    assert again.json() == first.json()
    assert await counts(app) == (60, 60, 60, 60)
    assert await faults(app) == []


async def test_the_same_key_twice_at_once_is_one_review(app, zheng: Client, make_shift) -> None:
    items = await waiting(app, await make_shift(places=200), await volunteers(app, 30))
    key = {"idempotency-key": "tap"}

    answers = await asyncio.gather(
        *(zheng.post("/api/attendances/approve", json={"items": items}, headers=key) for _ in range(3))
    )

    assert all(answer.json() == answers[0].json() for answer in answers)
    assert Counter(verdicts_of(answers[0]).values()) == {"done": 30}
    assert await counts(app) == (30, 30, 30, 30)


async def test_a_refused_choice_does_not_use_up_the_key(zheng: Client, served) -> None:
    refused = await zheng.post("/desk/hours/approve", data={"_key": "tap"})
    item = f"{UUID(str(served['attendance_id'])).hex}.{served['revision']}"
    done = await zheng.post("/desk/hours/approve", data={"_key": "tap", "ids": [item]})

    assert (refused.status_code, done.status_code) == (409, 303)


async def test_a_full_door_is_said_and_the_same_key_goes_on(app, zheng: Client, make_shift) -> None:
    items = await waiting(app, await make_shift(places=200), await volunteers(app, 20))
    limits = ledger.Limits(waiting=8)
    app.state.poster = ledger.GroupPoster(app.state.poster.session, app.state.poster.comes_again, limits)
    key = {"idempotency-key": "press"}

    first = await zheng.post("/api/attendances/approve", json={"items": items}, headers=key)
    page = await zheng.get("/desk/hours", params={"review": first.json()["review_id"]})
    app.state.poster = ledger.GroupPoster(app.state.poster.session, app.state.poster.comes_again)
    second = await zheng.post("/api/attendances/approve", json={"items": items}, headers=key)

    told = Counter(verdicts_of(first).values())
    assert told == {"done": 8, "again": 12}
    assert "刚才没能处理，请再通过一次" in page.text
    assert second.json()["review_id"] == first.json()["review_id"]
    assert Counter(verdicts_of(second).values()) == {"done": 20}
    assert await counts(app) == (20, 20, 20, 20)


async def test_a_closed_account_is_said_and_the_others_go_through(app, zheng: Client, make_shift) -> None:
    people = await volunteers(app, 3)
    items = await waiting(app, await make_shift(places=200), people)
    async with app.state.sessions.begin() as session:
        await ledger.close_account(session, HERE, chart.member(people[1]), chart.MINUTE, now=app.state.clock.now)

    told = verdicts_of(await decide(zheng, "approve", *items))

    assert list(told.values()) == ["done", "not_posted", "done"]
    assert await counts(app) == (2, 2, 2, 2)


async def test_a_review_that_was_undone_approves_nothing_more(app, zheng: Client, make_shift) -> None:
    items = await waiting(app, await make_shift(places=200), await volunteers(app, 2))
    chosen = {UUID(str(item["attendance_id"])): 1 for item in items}
    review = new_id()

    async def approve(rows: dict[UUID, int]) -> list[Verdict]:
        done = await actions.approve_attendances(
            app.state.sessions,
            app.state.poster,
            actor=zheng.actor,
            items=rows,
            review_id=review,
            now=app.state.clock.now,
        )
        return list(done.verdicts.values())

    first, second = chosen
    assert await approve({first: 1}) == ["done"]
    assert (await zheng.post(f"/api/reviews/{review}/undo")).json() == {"undone": 1}

    assert await approve({second: 1}) == ["stale"]
    assert await faults(app) == []


async def test_undoing_fifty_costs_as_many_statements_as_undoing_one(
    app, zheng: Client, make_shift, statements
) -> None:
    people = await volunteers(app, 51)
    items = await waiting(app, await make_shift(places=200), people)
    one = (await decide(zheng, "approve", items[0])).json()["review_id"]
    many = (await decide(zheng, "approve", *items[1:])).json()["review_id"]

    with statements() as few:
        assert (await zheng.post(f"/api/reviews/{one}/undo")).json() == {"undone": 1}
    with statements() as lots:
        assert (await zheng.post(f"/api/reviews/{many}/undo")).json() == {"undone": 50}

    assert len(lots) == len(few)
    async with app.state.sessions() as session:
        assert await ledger.balance(session, HERE, chart.ISSUED, chart.MINUTE) == 0
    assert await faults(app) == []


async def test_the_fact_and_the_audit_line_are_what_python_would_write(
    app, chen: Client, zheng: Client, served
) -> None:
    review = (await decide(zheng, "approve", served)).json()["review_id"]

    async with app.state.sessions() as session:
        payload = (
            await session.execute(sa.text("SELECT payload FROM outbox WHERE fact = 'AttendanceApproved'"))
        ).scalar_one()
        line = (await session.execute(sa.text("SELECT * FROM audit WHERE action = 'hours.approved'"))).one()
    assert msgspec.convert(payload, AttendanceApproved) == AttendanceApproved(
        community_id=HERE,
        attendance_id=UUID(str(served["attendance_id"])),
        member_id=chen.actor.member_id,
        minutes=120,
        points_hundredths=200,
    )
    assert (line.actor_id, line.object_id) == (zheng.actor.member_id, served["attendance_id"])
    assert line.detail == {"minutes": 120, "points": 200, "review": UUID(review).hex}
    assert line.request_id
