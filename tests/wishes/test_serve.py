"""Saying that it is done."""

from datetime import datetime, timedelta

from litestar import Litestar

from service.kit.clock import local_day
from service.records import RecordKind, Service, ServiceClass, correct_record, record_services
from tests.cast import HERE, START, Client
from tests.wishes.acts import claimed, code_of, report, rows, seen, served


async def test_the_asker_is_asked(li: Client, wu: Client, chen: Client, clock, app: Litestar) -> None:
    wish = await claimed(li, wu, chen)
    clock.move(hours=2)

    done = await chen.post(
        f"/wishes/{wish}/serve",
        data={"day": "2026-11-22", "start": "10:30", "minutes": 75, "note": "换了两个灯泡", "revision": 3},
    )

    assert done.status_code == 303
    found = await seen(li, wish)
    assert (found["state"], found["served_minutes"], found["served_from_at"]) == (
        "served",
        75,
        "2026-11-22T02:30:00Z",
    )
    assert "办好了吗" in (await li.get("/wishes/mine")).text
    assert "换了两个灯泡" in (await li.get(f"/wishes/{wish}/confirm")).text
    assert ("WishServed",) in await rows(app.state.sessions, "SELECT fact FROM outbox")


async def test_what_cannot_be_is_refused(li: Client, wu: Client, chen: Client, clock) -> None:
    wish = await claimed(li, wu, chen)
    clock.move(hours=3)
    good = report(clock.now)

    async def refused(**changes: object) -> str:
        return code_of(await chen.post(f"/api/wishes/{wish}/serve", json=good | changes))

    assert await refused(minutes=61) == "wishes.service_in_future"
    assert await refused(started_at=(START - timedelta(days=2)).isoformat()) == "wishes.service_before_claim"
    assert await refused(minutes=0) == "kit.invalid"
    assert await refused(note="") == "kit.invalid"
    assert await refused(note="字" * 5000) == "kit.invalid"
    assert await refused(revision=2) == "wishes.changed_meanwhile"
    page = await chen.post(
        f"/wishes/{wish}/serve", data={"day": "昨天", "start": "", "minutes": "很久", "note": "好", "revision": 3}
    )
    assert page.status_code == 422
    assert "很久" in page.text
    assert (await seen(li, wish))["state"] == "claimed"


async def test_saying_it_twice_is_saying_it_once(li: Client, wu: Client, chen: Client, clock) -> None:
    wish = await served(li, wu, chen, clock)

    again = await chen.post(f"/api/wishes/{wish}/serve", json=report(clock.now))
    other = await chen.post(f"/api/wishes/{wish}/serve", json=report(clock.now, minutes=90))

    assert again.json()["state"] == "served"
    assert (other.status_code, code_of(other)) == (409, "wishes.other_state")


async def test_nobody_is_at_two_wishes_at_once(li: Client, granny: Client, wu: Client, chen: Client, clock) -> None:
    second = await claimed(granny, wu, chen)
    clock.move(minutes=30)
    await served(li, wu, chen, clock, minutes=60)

    overlapping = await chen.post(
        f"/api/wishes/{second}/serve",
        json={"started_at": (clock.now - timedelta(minutes=90)).isoformat(), "minutes": 31, "note": "一起办了"},
    )
    before = await chen.post(
        f"/api/wishes/{second}/serve",
        json={"started_at": (clock.now - timedelta(minutes=90)).isoformat(), "minutes": 30, "note": "先办了这件"},
    )

    assert code_of(overlapping) == "wishes.service_overlaps"
    assert before.status_code == 200


async def test_only_the_helper_says_so(li: Client, wu: Client, chen: Client, sun: Client, clock) -> None:
    wish = await claimed(li, wu, chen)

    assert code_of(await sun.post(f"/api/wishes/{wish}/serve", json=report(clock.now))) == "wishes.not_yours"
    assert (await li.post(f"/api/wishes/{wish}/serve", json=report(clock.now))).status_code == 403
    assert (await sun.get(f"/wishes/{wish}/serve")).status_code == 409


async def test_not_done_yet_goes_back_to_the_helper_and_to_staff(
    li: Client, wu: Client, chen: Client, clock, app: Litestar
) -> None:
    wish = await served(li, wu, chen, clock)
    empty = await li.post(f"/wishes/{wish}/dispute", data={"note": "", "revision": 4})
    assert empty.status_code == 422

    done = await li.post(f"/wishes/{wish}/dispute", data={"note": "灯还是不亮", "revision": 4})

    assert done.status_code == 303
    assert "灯还是不亮" in (await chen.get("/wishes/claimed")).text
    assert "灯还是不亮" in (await wu.get(f"/desk/wishes/{wish}")).text
    assert ("WishDisputed",) in await rows(app.state.sessions, "SELECT fact FROM outbox")
    clock.move(hours=5)
    again = await chen.post(f"/api/wishes/{wish}/serve", json=report(clock.now, minutes=90))
    assert again.json()["state"] == "served"
    assert (await seen(li, wish))["reason"] is None


def shift_of(helper: Client, began: datetime, minutes: int) -> Service:
    """A shift in the canteen, as the record is told of it."""
    return Service(
        member_id=helper.actor.member_id,
        minutes=minutes,
        kind=RecordKind.TRAINING,
        service_class=ServiceClass.TRAINING,
        title="社区食堂帮厨",
        source="attendance:1",
        reference="attendance:1:approved:1",
        served_on=local_day(began),
        served_from_at=began,
        served_until_at=began + timedelta(minutes=minutes),
    )


async def test_a_shift_that_counts_already_is_named_and_freed_when_it_is_corrected(
    li: Client, wu: Client, zheng: Client, chen: Client, clock, app: Litestar
) -> None:
    wish = await claimed(li, wu, chen)
    clock.move(hours=2)
    began = clock.now - timedelta(hours=2)
    shift = shift_of(chen, began, 60)
    async with app.state.sessions.begin() as session:
        (kept,) = await record_services(session, community_id=HERE, services=[shift], actor=zheng.actor, now=clock.now)

    refused = await chen.post(f"/api/wishes/{wish}/serve", json=report(clock.now, minutes=90))
    assert code_of(refused) == "wishes.service_overlaps"
    assert "社区食堂帮厨" in refused.text
    page = await chen.post(
        f"/wishes/{wish}/serve",
        data={
            "day": local_day(began).isoformat(),
            "start": (began + timedelta(hours=8, minutes=30)).strftime("%H:%M"),
            "minutes": "30",
            "note": "换好了",
            "revision": "3",
        },
    )
    assert page.status_code == 409
    assert "不能重复算" in page.text
    assert "社区食堂帮厨" in page.text

    async with app.state.sessions.begin() as session:
        assert kept.record_id is not None
        await correct_record(session, actor=zheng.actor, record_id=kept.record_id, now=clock.now)
    again = await chen.post(f"/api/wishes/{wish}/serve", json=report(clock.now, minutes=90))
    assert again.status_code == 200


async def test_a_shift_approved_meanwhile_is_said_to_the_asker(
    li: Client, wu: Client, zheng: Client, chen: Client, clock, app: Litestar
) -> None:
    wish = await served(li, wu, chen, clock, minutes=60)
    began = clock.now - timedelta(minutes=30)
    shift = shift_of(chen, began, 20)
    async with app.state.sessions.begin() as session:
        await record_services(session, community_id=HERE, services=[shift], actor=zheng.actor, now=clock.now)

    refused = await li.post(f"/api/wishes/{wish}/confirm")

    assert (refused.status_code, code_of(refused)) == (409, "records.time_taken")
    assert "更正" in (await li.post(f"/wishes/{wish}/confirm", data={"revision": 4})).text


async def test_help_counts_from_the_claim_on_and_not_from_the_morning_before_it(
    li: Client, wu: Client, chen: Client, clock
) -> None:
    clock.move(hours=6)
    wish = await claimed(li, wu, chen)
    clock.move(hours=2)
    early = {"day": "2026-11-22", "start": "09:00", "minutes": 300, "note": "从早上就开始了", "revision": 3}

    page = await chen.post(f"/wishes/{wish}/serve", data=early)

    assert page.status_code == 409
    assert "帮忙不能从那以前算起" in page.text
    answer = await chen.post(
        f"/api/wishes/{wish}/serve", json=report(clock.now, minutes=121), headers={"accept-language": "en"}
    )
    assert code_of(answer) == "wishes.service_before_claim"
    assert (await chen.post(f"/api/wishes/{wish}/serve", json=report(clock.now, minutes=120))).status_code == 200


async def test_more_than_twice_the_time_is_marked_for_whoever_confirms(
    li: Client, granny: Client, wu: Client, chen: Client, clock
) -> None:
    long = await served(li, wu, chen, clock, minutes=61)
    right = await served(granny, wu, chen, clock, minutes=60)

    assert "报的是 61 分钟，当初说大约 30 分钟" in (await li.get(f"/wishes/{long}/confirm")).text
    assert "当初说大约" not in (await granny.get(f"/wishes/{right}/confirm")).text
    assert "当初说大约" not in (await wu.get(f"/desk/wishes/{right}")).text
    clock.move(days=30)
    assert "报的是 61 分钟" in (await wu.get(f"/desk/wishes/{long}")).text
    li.cookies.set("locale", "en")
    assert "more than twice as long" in (await li.get(f"/wishes/{long}/confirm")).text


async def test_what_is_wrong_with_a_report_is_said_once_under_its_own_name(
    li: Client, wu: Client, chen: Client, clock
) -> None:
    wish = await claimed(li, wu, chen)
    clock.move(hours=2)
    form = {"day": "2026-11-22", "start": "10:30", "minutes": "1441", "note": "换好了", "revision": 3}

    long = await chen.post(f"/wishes/{wish}/serve", data=form)
    wordy = await chen.post(f"/wishes/{wish}/serve", data=form | {"minutes": "30", "note": "字" * 201})

    assert "一共几分钟：请填 1 到 1440 分钟" in long.text
    assert "一共几分钟：一共几分钟" not in long.text
    assert "做了什么：太长了" in wordy.text
    assert "要写一句话" not in wordy.text
