"""The passbook shows what the ledger has, in words, and to nobody else."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from service.kit.clock import local_day
from service.records import RecordKind, Service, ServiceClass, record_services

DAY = date(2026, 9, 1)


def service_of(client, number, clock, *, minutes=60, kind=RecordKind.CREDITED, title="社区食堂帮厨"):
    return Service(
        member_id=client.actor.member_id,
        minutes=minutes,
        kind=kind,
        service_class=ServiceClass.GENERAL,
        title=title,
        source=f"wish:{number}",
        reference=f"test:{number}",
        served_on=local_day(clock.now),
    )


async def credit(app, staff, services, now):
    async with app.state.sessions.begin() as session:
        return await record_services(
            session, community_id=staff.actor.community_id, services=services, actor=staff.actor, now=now
        )


async def test_three_figures_are_named_and_never_mixed(app, chen, wu, clock):
    await credit(app, wu, [service_of(chen, "a", clock, minutes=90)], clock.now)

    answer = (await chen.get("/api/wallet")).json()

    assert answer == {
        "service": {"unit": "minute", "amount": 90},
        "coins": {"unit": "minute", "amount": 90},
        "points": {"unit": "point", "amount": 150},
        "lots": [],
    }
    home = await chen.get("/home")
    assert home.status_code == 200
    assert "服务时长" in home.text
    assert "陈助人 的存折" in home.text


async def test_a_line_says_what_it_was_for_and_leads_to_its_own_page(app, chen, wu, clock):
    await credit(app, wu, [service_of(chen, "a", clock)], clock.now)

    page = await chen.get("/passbook?unit=minute")

    assert page.status_code == 200
    assert "社区食堂帮厨" in page.text
    line = (await chen.get("/api/wallet/statement?unit=minute")).json()["items"][0]
    assert (line["amount"], line["balance"], line["title"]) == (60, 60, "社区食堂帮厨")
    detail = await chen.get(f"/passbook/lines/{line['seq']}?unit=minute")
    assert detail.status_code == 200
    assert "吴**" in detail.text


async def test_nobody_opens_a_line_of_somebody_else(app, chen, sun, stranger, wu, clock):
    await credit(app, wu, [service_of(chen, "a", clock)], clock.now)
    seq = (await chen.get("/api/wallet/statement?unit=minute")).json()["items"][0]["seq"]

    for other in (sun, stranger):
        assert (await other.get(f"/passbook/lines/{seq}?unit=minute")).status_code == 404


async def test_pages_go_on_to_the_first_line_and_months_have_headings(app, chen, wu, clock):
    await credit(app, wu, [service_of(chen, f"a{n}", clock, minutes=5) for n in range(60)], clock.now)
    clock.move(days=20)
    await credit(app, wu, [service_of(chen, "late", clock)], clock.now)

    first = (await chen.get("/api/wallet/statement?unit=minute")).json()
    second = (await chen.get(f"/api/wallet/statement?unit=minute&after={first['next']}")).json()

    assert len(first["items"]) == 50
    assert len(second["items"]) == 11
    assert second["next"] is None
    assert [line["balance"] for line in second["items"]] == list(range(55, 0, -5))
    november = await chen.get("/passbook?unit=minute&month=2026-11")
    assert "2026 年 11 月" in november.text
    assert "2026 年 12 月" not in november.text
    assert november.text.count("/passbook/lines/") == 60


@pytest.mark.parametrize("month", ["2026-13", "abc", "2026-11-01"])
async def test_a_month_that_is_none_is_said_so(chen, month):
    assert (await chen.get(f"/passbook?month={month}")).status_code == 422


async def test_paper_shows_the_oldest_line_first_with_a_head_that_repeats(app, chen, wu, clock):
    await credit(app, wu, [service_of(chen, "a", clock, title="第一件")], clock.now)
    clock.move(days=1)
    await credit(app, wu, [service_of(chen, "b", clock, title="第二件")], clock.now)

    paper = await chen.get("/passbook/print")

    assert paper.status_code == 200
    assert paper.text.index("第一件") < paper.text.index("第二件")
    assert "<thead>" in paper.text


async def test_staff_print_for_somebody_without_a_phone_and_the_look_is_logged(app, granny, wu, chen, stranger_staff):
    address = f"/desk/passbooks/{granny.actor.member_id}"

    assert (await wu.get(address)).status_code == 200
    assert (await chen.get(address)).status_code == 403
    assert (await stranger_staff.get(address)).status_code == 404

    async with app.state.engine.connect() as connection:
        looks = await connection.exec_driver_sql("SELECT count(*) FROM audit WHERE action = 'wallet.passbook_read'")
        assert looks.scalar_one() == 1


async def test_the_record_of_service_is_a_list_of_its_own(app, chen, wu, clock):
    await credit(app, wu, [service_of(chen, "a", clock, title="送餐")], clock.now)

    assert "送餐" in (await chen.get("/passbook/service")).text
    records = (await chen.get("/api/wallet/records")).json()["items"]
    assert [(item["minutes"], item["title"]) for item in records] == [(60, "送餐")]


async def test_the_record_of_service_goes_by_the_day_it_shows_page_after_page(app, chen, wu, clock):
    days = [DAY + timedelta(days=n * 7 % 60) for n in range(60)]
    made = [replace(service_of(chen, n, clock, minutes=1), served_on=day) for n, day in enumerate(days)]
    await credit(app, wu, made, clock.now)

    first = (await chen.get("/api/wallet/records")).json()
    second = (await chen.get("/api/wallet/records", params={"after": first["next"]})).json()

    shown = [item["served_on"] for item in first["items"] + second["items"]]
    assert shown == [day.isoformat() for day in sorted(days, reverse=True)]
    assert second["next"] is None


async def test_a_page_costs_the_same_for_one_line_and_for_fifty(app, chen, sun, wu, clock, statements):
    await credit(app, wu, [service_of(chen, "one", clock)], clock.now)
    await credit(app, wu, [service_of(sun, f"many{n}", clock, minutes=5) for n in range(50)], clock.now)

    costs = []
    for client in (chen, sun):
        with statements() as seen:
            assert (await client.get("/passbook?unit=minute")).status_code == 200
        costs.append(len(seen))

    assert costs[0] == costs[1]
    assert costs[0] <= 8


async def test_english_readers_get_english(chen):
    page = await chen.get("/passbook", headers={"accept-language": "en"})

    assert "My passbook" in page.text


async def test_home_counts_by_the_day_of_posting_like_the_passbook_and_in_one_query(app, chen, wu, clock, statements):
    with statements() as before:
        await chen.get("/home")
    services = [service_of(chen, f"m{n}", clock, minutes=30) for n in range(10)]
    await credit(app, wu, services, clock.now + timedelta(days=10))
    clock.move(days=10)

    with statements() as after:
        home = (await chen.get("/home")).text

    assert "本月存入 5 小时" in home
    assert len(after) == len(before)
