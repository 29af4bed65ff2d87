"""The sheet of an invented community: six thousand people behind two thousand doors."""

import csv
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from functools import cache
from itertools import cycle
from pathlib import Path

from service.demo.cast import CAST, Part
from service.kit.workbook import Cell, Sheet, xlsx_bytes

DATA = Path(__file__).parent / "data"
PEOPLE = 6_000
GRIDS = 81
"""In the whole street (长安格): eleven here, ten in each of the other seven communities."""
GRIDS_HERE = 11
BUILDINGS_PER_GRID = 4
DOORS_PER_BUILDING = 57
FIRST_CARD = 101
HEADINGS = ("卡号", "姓名", "手机号", "用手机号登录", "网格", "楼栋", "门牌", "出生日期", "身份")

SURNAMES = (
    "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦尤许何吕施张孔曹严华金魏陶姜戚谢邹喻柏水窦章"
    "云苏潘葛奚范彭郎鲁韦昌马苗凤花方俞任袁柳酆鲍史唐费廉岑薛雷贺倪汤滕殷罗毕郝邬安常"
    "乐于时傅皮卞齐康伍余元卜顾孟平黄和穆萧尹"
)[:100]
"""The first hundred of 百家姓."""
STEMS, BRANCHES = "甲乙丙丁戊己庚辛壬癸", "子丑寅卯辰巳午未申酉戌亥"
GIVEN = tuple(STEMS[number % 10] + BRANCHES[number % 12] for number in range(60))
"""The sixty 干支: given names that nobody has."""
HOUSEHOLD_SIZES = (2, 3, 1, 4, 2, 3, 2, 1, 3)
CHINESE_NUMBERS = ("一", "二", "三", "四", "五", "六", "七", "八", "九", "十", "十一")


@cache
def table(name: str) -> Sequence[dict[str, str]]:
    """One of the published tables that the demo brings along."""
    with (DATA / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def street() -> Sequence[dict[str, str]]:
    """The eight communities of 西一路街道 with their official codes."""
    return [row for row in table("communities.csv") if row["street_code"] == "610102001"]


def short_name(official: str) -> str:
    """兴乐社区居委会 → 兴乐社区."""
    return official.removesuffix("居委会").removesuffix("居民委员会")


def grid_name(number: int) -> str:
    """第三网格."""
    return f"第{CHINESE_NUMBERS[number]}网格"


def sheet(today: date) -> bytes:
    """The community's card file, as an office would send it."""
    rows = [*(_cast_row(part, number, today) for number, part in enumerate(CAST)), *_crowd(today)]
    return xlsx_bytes([Sheet("人员", HEADINGS, rows)])


def _cast_row(part: Part, number: int, today: date) -> Sequence[Cell]:
    # The cast shares the fourth entrance of the first building, two to a door.
    door = "4-901" if part.handle in ("li", "granny") else f"4-{number // 2 + 1}01"
    phone = f"199000000{number + 1:02}" if part.has_phone else ""
    born = _born(today, 78 if part.handle == "granny" else 30 + number * 3, number)
    return (
        part.card_no,
        part.name,
        phone,
        "是" if phone else "否",
        grid_name(0),
        "1号楼",
        door,
        born,
        part.sheet_roles,
    )


def _crowd(today: date) -> Iterator[Sequence[Cell]]:
    """Household after household, until there are six thousand people with the cast."""
    number = 0
    for door, size in enumerate(cycle(HOUSEHOLD_SIZES)):
        building, place = divmod(door, DOORS_PER_BUILDING)
        for person in range(size):
            if number >= PEOPLE - len(CAST):
                return
            yield _crowd_row(number, person, size, building, place, today)
            number += 1


def _crowd_row(number: int, person: int, size: int, building: int, place: int, today: date) -> Sequence[Cell]:
    age = _age(number, person, size)
    phone = f"1991{number:07}" if age >= 14 and number % 5 < 2 else ""
    roles = ["居民"]
    if 16 <= age <= 75 and number % 6 == 0:
        roles.append("志愿者")
    if person == 0 and place == DOORS_PER_BUILDING // 2:
        roles.append("楼门长")
    if person == 0 and building % BUILDINGS_PER_GRID == 1 and place == 0:
        roles.append("网格员")
    building = min(building, GRIDS_HERE * BUILDINGS_PER_GRID - 1)
    return (
        f"0012-{FIRST_CARD + number:04}",
        SURNAMES[number % 100] + GIVEN[number // 100 % 60],
        phone,
        "是" if phone and number % 10 == 0 else "否",
        grid_name(building // BUILDINGS_PER_GRID),
        f"{building + 1}号楼",
        f"{place % 3 + 1}-{place // 6 + 1}{place // 3 % 2 + 1:02}",
        _born(today, age, number),
        "、".join(roles),
    )


def _age(number: int, person: int, size: int) -> int:
    """Grown-ups first, then children; every fourth household is an old couple or an elder alone."""
    if person < min(size, 2):
        return 62 + number % 33 if size < 3 and number % 4 == 0 else 24 + number * 7 % 45
    return 3 + number * 5 % 18


def _born(today: date, age: int, number: int) -> str:
    return (today - timedelta(days=age * 365 + age // 4 + number * 37 % 300 + 30)).isoformat()
