"""Who approved what: the same hands on both sides are listed, and what stands out is a question in words."""

from typing import Any
from uuid import UUID

import asyncpg
import pytest

from service.audits.rules import Counts, Oddity, oddities
from service.kit.clock import local_day
from tests.cast import HERE, START, Client
from tests.db import Database
from tests.wallet.conftest import statements
from tests.wishes.acts import approved

__all__ = ["statements"]
pytestmark = pytest.mark.anyio
API, PAGE = "/api/books/approvals", "/desk/books/approvals"
TODAY = local_day(START)
DAYS = {"since": TODAY.isoformat(), "until": TODAY.isoformat()}


async def plant(database: Database, *acts: str) -> None:
    """What no way through the service leads to."""
    connection = await asyncpg.connect(database.superuser_url)
    try:
        for act in acts:
            await connection.execute(act)
    finally:
        await connection.close()


def one_household(*people: Client) -> list[str]:
    ids = ", ".join(f"'{client.actor.member_id}'" for client in people)
    return [
        f"INSERT INTO grid VALUES ({HERE}, '{UUID(int=1)}', '一格')",
        f"INSERT INTO building VALUES ({HERE}, '{UUID(int=2)}', '{UUID(int=1)}', '1 号楼')",
        f"INSERT INTO household VALUES ({HERE}, '{UUID(int=3)}', '{UUID(int=2)}', '\\x00', '\\x00')",
        f"UPDATE member SET household_id = '{UUID(int=3)}' WHERE community_id = {HERE} AND member_id IN ({ids})",
    ]


async def flags(he: Client, **days: str) -> list[dict[str, Any]]:
    answer = await he.get(API, params=DAYS | days)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["flags"]
    return found


async def test_strangers_to_each_other_are_not_listed(he: Client, li: Client, wu: Client) -> None:
    await approved(li, wu)

    assert await flags(he) == []
    assert "没有同一个人或同一户" in (await he.get(PAGE, params=DAYS)).text


async def test_one_household_on_both_sides_is_listed_and_explained(
    he: Client, li: Client, wu: Client, town_database: Database
) -> None:
    wish = await approved(li, wu)
    await plant(town_database, *one_household(li, wu))

    [flag] = [flag for flag in await flags(he) if flag["role"] == "asked"]

    assert (flag["kind"], flag["thing_id"], flag["is_self"]) == ("wish", str(wish), False)
    assert flag["text"] == "批的人和许愿的人住在同一户"
    page = await he.get(PAGE, params=DAYS)
    assert f"/desk/wishes/{wish}" in page.text
    english = await he.get(PAGE, params=DAYS, headers={"accept-language": "en"})
    assert "lives in one household with the person who asked" in english.text
    assert await flags(he, since="2026-01-01", until="2026-01-31") == []


async def test_the_same_person_on_both_sides_is_listed(
    he: Client, li: Client, wu: Client, town_database: Database
) -> None:
    wish = await approved(li, wu)
    await plant(town_database, f"UPDATE wish SET posted_by = '{wu.actor.member_id}' WHERE wish_id = '{wish}'")

    [flag] = await flags(he)

    assert (flag["role"], flag["is_self"]) == ("posted", True)
    assert flag["text"] == "批的人就是登记心愿的人"


async def test_each_persons_decisions_are_counted(he: Client, li: Client, wu: Client, statements: Any) -> None:
    with statements() as few:
        await he.get(PAGE, params=DAYS)
    for _ in range(3):
        await approved(li, wu)
    with statements() as many:
        await he.get(PAGE, params=DAYS)

    counts = (await he.get(API, params=DAYS)).json()["counts"]

    assert [(each["kind"], each["agreed"], each["refused"]) for each in counts] == [("wish", 3, 0)]
    assert len(many) <= len(few) + 1  # the people's names, where there are any


@pytest.mark.parametrize(
    ("days", "status"),
    [
        ({"since": "2026-11-22", "until": "2026-11-01"}, 422),
        ({"since": "2020-01-01", "until": "2026-11-01"}, 422),
        ({"since": "2999-12-30", "until": "2999-12-31"}, 200),
        ({"since": "9999-12-30", "until": "9999-12-31"}, 200),
    ],
)
async def test_days_are_checked(he: Client, days: dict[str, str], status: int) -> None:
    assert (await he.get(API, params=days)).status_code == status
    assert (await he.get(PAGE, params=days)).status_code == status


WU, ZHENG = UUID(int=1), UUID(int=2)


@pytest.mark.parametrize(
    ("counts", "told"),
    [
        ([Counts("hours", WU, 30, 3, 3600), Counts("hours", ZHENG, 25, 2, 4000)], {}),
        ([Counts("hours", WU, 19, 0, 1)], {}),
        ([Counts("hours", WU, 30, 1, 3)], {("hours", WU): (Oddity.QUICK,)}),
        (
            [Counts("hours", WU, 30, 0, 3600), Counts("hours", ZHENG, 25, 5, 4000)],
            {("hours", WU): (Oddity.NEVER_REFUSES,)},
        ),
        (
            [Counts("hours", WU, 90, 1, 300), Counts("hours", ZHENG, 10, 0, 4000)],
            {("hours", WU): (Oddity.ALONE, Oddity.QUICK)},
        ),
        ([Counts("hours", WU, 90, 1, 300), Counts("wish", ZHENG, 10, 0, 4000)], {}),
    ],
)
def test_what_stands_out(counts: list[Counts], told: dict[tuple[str, UUID], tuple[Oddity, ...]]) -> None:
    assert oddities(counts) == told
