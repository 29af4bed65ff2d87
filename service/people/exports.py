"""The list of people as a file. The .xlsx has the columns of an import and each person's revision: edit it and import it."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from service.identity import Particulars
from service.kit.access import Role
from service.kit.export import csv_bytes
from service.kit.i18n import _
from service.kit.workbook import Sheet, xlsx_bytes

HEADINGS = ("卡号", "姓名", "手机号", "用手机号登录", "网格", "楼栋", "门牌", "出生日期", "身份", "版本")
"""As an import expects them, whatever language the clerk reads; a test exports, edits and imports again."""
WORDS = {
    Role.RESIDENT: "居民",
    Role.VOLUNTEER: "志愿者",
    Role.STEWARD: "楼门长",
    Role.GRID_WORKER: "网格员",
}
"""The roles an import may give; others stay out of the file."""
WIDTHS = (14, 12, 16, 14, 14, 12, 10, 14, 20, 8)

Line = Sequence[str | int | None]


def lines(people: Sequence[Particulars], roles: Mapping[UUID, Sequence[Role]]) -> list[Line]:
    """One line a person."""
    return [
        [
            item.card_no,
            item.name,
            item.phone.removeprefix("+86") if item.phone else "",
            "是" if item.signs_in else "否",
            item.grid,
            item.building,
            item.door,
            item.born_on.isoformat() if item.born_on else "",
            "、".join(WORDS[role] for role in roles.get(item.member_id, ()) if role in WORDS),
            item.revision,
        ]
        for item in people
    ]


def people_xlsx(people: Sequence[Particulars], roles: Mapping[UUID, Sequence[Role]]) -> bytes:
    """The list as a sheet that can be edited and imported again."""
    notes = [
        [_("可以改好再导入：空着的格子不改动；要清空一格，写“无”。")],
        [_("不要改卡号和版本。导出以后别人改过的人会显示为冲突，不会被覆盖。")],
    ]
    return xlsx_bytes(
        [Sheet("人员", HEADINGS, lines(people, roles), WIDTHS), Sheet(_("说明"), [_("说明")], notes, (80,))]
    )


def people_csv(people: Sequence[Particulars], roles: Mapping[UUID, Sequence[Role]]) -> bytes:
    """The list as text."""
    return csv_bytes(HEADINGS, lines(people, roles))
