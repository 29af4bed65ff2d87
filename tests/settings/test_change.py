"""Changing a dated setting: from when, by whom, until when it can be taken back; and what held on any day."""

import asyncio
from datetime import date, timedelta
from typing import Any

import asyncpg
import pytest
from litestar import Litestar

from service.communities import SETTINGS, setting
from service.kit.clock import local_day
from tests.architecture.test_words import messages
from tests.cast import HERE, START, Client, TownClock
from tests.db import Database

pytestmark = pytest.mark.anyio
CARE, CODE = "points_coefficient_thousandths.care", "checkin_code_seconds"
TODAY = local_day(START)
TOMORROW = TODAY + timedelta(days=1)


def change(value: int = 1800, day: date = TOMORROW, reason: str = "街道通知第 3 条") -> dict[str, Any]:
    return {"value": value, "effective_from": day.isoformat(), "reason": reason}


async def proposed(client: Client, name: str = CARE, **what: Any) -> str:
    answer = await client.post(f"/api/settings/{name}/changes", json=change(**what))
    assert answer.status_code == 201, answer.text
    return str(answer.json()["change_id"])


async def decide(client: Client, change_id: str, act: str = "approval") -> Any:
    return await client.post(f"/api/settings/changes/{change_id}/{act}")


async def held(app: Litestar, day: date, name: str = CARE) -> int:
    async with app.state.sessions() as session:
        return await setting(session, HERE, name, day)


def test_every_setting_is_called_by_a_name_in_both_languages() -> None:
    for locale in ("zh_CN", "en"):
        assert [name for name in SETTINGS if not messages(locale).get(f"setting.{name}")] == []


async def test_a_change_of_value_holds_from_its_day_when_another_agrees(
    app: Litestar, jiang: Client, feng: Client, he: Client
) -> None:
    number = await proposed(jiang)
    assert await held(app, TOMORROW) == 1500

    assert (await decide(jiang, number)).json()["code"] == "settings.second_person"
    agreed = await decide(feng, number)

    assert (agreed.status_code, agreed.json()["state"]) == (200, "approved")
    assert [await held(app, day) for day in (TODAY, TOMORROW)] == [1500, 1800]
    again = await decide(feng, number)
    assert (again.status_code, again.json()["code"]) == (409, "settings.decided")
    before = {"on": TODAY.isoformat(), "against": TOMORROW.isoformat()}
    items = (await he.get("/api/settings", params=before)).json()["items"]
    assert {item["name"]: (item["value"], item["other_value"]) for item in items}[CARE] == (1500, 1800)
    page = await he.get("/desk/settings", params=before)
    assert "1 条规则两天不一样" in page.text
    history = await he.get(f"/desk/settings/{CARE}")
    assert "街道通知第 3 条" in history.text
    assert "冯复算" in history.text


async def test_what_no_value_depends_on_takes_one_person_and_may_begin_today(app: Litestar, jiang: Client) -> None:
    answer = await jiang.post(f"/api/settings/{CODE}/changes", json=change(45, TODAY))

    assert answer.json()["state"] == "approved"
    assert await held(app, TODAY, CODE) == 45


@pytest.mark.parametrize(
    ("name", "what", "status", "code"),
    [
        (CARE, change(day=TODAY), 409, "settings.too_early"),
        (CARE, change(day=date(2020, 1, 1)), 409, "settings.too_early"),
        (CODE, change(45, TODAY - timedelta(days=1)), 409, "settings.too_early"),
        (CARE, change(day=date(9999, 1, 1)), 422, "kit.invalid"),
        (CARE, change(10_001), 409, "communities.setting_out_of_range"),
        (CARE, change(-1), 409, "communities.setting_out_of_range"),
        (CARE, change(10**30), 409, "communities.setting_out_of_range"),
        (CARE, change(1500), 409, "settings.nothing_changes"),
        (CARE, change(reason="  "), 422, "kit.invalid"),
        (CARE, change(reason="x" * 201), 422, "kit.invalid"),
        ("nonsense", change(), 404, "communities.setting_unknown"),
    ],
)
async def test_what_cannot_be_is_refused_with_a_code(
    jiang: Client, name: str, what: dict[str, Any], status: int, code: str
) -> None:
    answer = await jiang.post(f"/api/settings/{name}/changes", json=what)

    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_the_form_says_what_is_wrong_and_keeps_what_was_typed(jiang: Client) -> None:
    page = await jiang.post(f"/desk/settings/{CARE}", data=change(20_000, reason="新标准"))

    assert page.status_code == 409
    assert "数值要在 0 到 10000 之间" in page.text
    assert "新标准" in page.text
    empty = await jiang.post(f"/desk/settings/{CARE}", data={"value": "many"})
    assert empty.status_code == 422
    english = await jiang.post(f"/desk/settings/{CARE}", data=change(day=TODAY), headers={"accept-language": "en"})
    assert "or later" in english.text


async def test_one_change_of_a_setting_waits_at_a_time(jiang: Client) -> None:
    await proposed(jiang)

    second = await jiang.post(f"/api/settings/{CARE}/changes", json=change(1900, TOMORROW + timedelta(days=30)))

    assert (second.status_code, second.json()["code"]) == (409, "settings.change_waits")


async def test_until_its_day_a_change_is_taken_back(app: Litestar, jiang: Client, feng: Client) -> None:
    day = TODAY + timedelta(days=20)
    number = await proposed(jiang, day=day)
    await decide(feng, number)
    assert await held(app, day) == 1800

    assert (await decide(jiang, number, "undoing")).json()["state"] == "undone"

    assert await held(app, day) == 1500
    # A later change that begins earlier goes on over the day of the one that was taken back.
    await decide(feng, await proposed(jiang, value=1700))
    assert [await held(app, TODAY + timedelta(days=n)) for n in (0, 1, 19, 20, 90)] == [1500, 1700, 1700, 1700, 1700]


async def test_what_holds_is_not_taken_back(jiang: Client, feng: Client, clock: TownClock) -> None:
    number = await proposed(jiang)
    await decide(feng, number)
    clock.move(days=1)

    answer = await decide(jiang, number, "undoing")

    assert (answer.status_code, answer.json()["code"]) == (409, "settings.holds")


async def test_agreeing_after_the_day_has_come_is_too_late(
    app: Litestar, jiang: Client, feng: Client, clock: TownClock
) -> None:
    number = await proposed(jiang)
    clock.move(days=1)

    answer = await decide(feng, number)

    assert (answer.status_code, answer.json()["code"]) == (409, "settings.too_late")
    assert (await decide(feng, number, "refusal")).json()["state"] == "refused"
    assert await held(app, TOMORROW) == 1500


async def test_a_waiting_change_stands_in_the_inbox_of_whoever_may_agree(
    jiang: Client, feng: Client, wu: Client
) -> None:
    await proposed(jiang)

    assert "setting_change" in (await feng.get("/api/inbox")).json()["counts"]
    assert "setting_change" not in (await wu.get("/api/inbox")).json()["counts"]
    assert "setting_change" not in (await jiang.get("/api/inbox")).json()["counts"]
    page = await feng.get(f"/desk/settings/{CARE}")
    assert "同意" in page.text


async def test_two_who_ask_at_once_leave_one_change(jiang: Client, app: Litestar) -> None:
    answers = await asyncio.gather(
        *(
            jiang.post(f"/api/settings/{CARE}/changes", json=change(1600 + n, TOMORROW + timedelta(days=n)))
            for n in range(5)
        )
    )

    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409, 409]


async def test_two_who_agree_at_once_write_one_line(jiang: Client, feng: Client, zheng: Client, he: Client) -> None:
    number = await proposed(jiang)

    answers = await asyncio.gather(*(decide(client, number) for client in (feng, zheng, feng, zheng)))

    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]
    lines = (await he.get(f"/api/settings/{CARE}")).json()["lines"]
    assert [line["value"] for line in lines] == [1800, 1500]


async def test_the_database_itself_wants_a_second_person(jiang: Client, town_database: Database) -> None:
    number = await proposed(jiang)
    connection = await asyncpg.connect(town_database.app_url)
    try:
        with pytest.raises(asyncpg.CheckViolationError):
            await connection.execute(
                "UPDATE setting_change SET state = 'approved', decided_by = proposed_by, decided_at = proposed_at"
                f" WHERE change_id = '{number}'"
            )
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("UPDATE setting_change SET value = 1")
    finally:
        await connection.close()


async def test_another_communitys_change_is_not_there(jiang: Client, stranger_staff: Client) -> None:
    number = await proposed(jiang)

    assert (await decide(stranger_staff, number)).status_code == 404
