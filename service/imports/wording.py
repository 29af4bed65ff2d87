"""How rows and their problems are said to people."""

from collections.abc import Collection, Sequence

from service.identity import Particulars
from service.imports.cells import Column, Problem, nearest_column
from service.imports.compare import Change, Meant
from service.kit.i18n import _, translate
from service.kit.words import masked_phone


def problem_sentence(problem: Problem) -> str:
    """手机号：不是 11 位手机号."""
    said = translate(f"import_problem.{problem.code}", **problem.values)
    return _("{column}：{problem}").format(column=translate(problem.column.value), problem=said)


def change_sentence(change: Change) -> str:
    """手机号：199****0001 → 199****0002."""
    if change.column is Column.CARD:
        return _("重新启用")
    if change.column is Column.ROLES:
        roles = "、".join(translate(f"role.{word}") for word in change.after.split("、"))
        return _("增加身份：{roles}").format(roles=roles)
    before, after = (_shown(change.column, text) for text in (change.before, change.after))
    return _("{column}：{before} → {after}").format(column=translate(change.column.value), before=before, after=after)


def written_sentences(meant: Meant) -> list[str]:
    """What would be written about somebody new: 手机号：199****0001. The number also when there is none, for it is missed most."""
    pairs = [
        (Column.PHONE, _shown(Column.PHONE, meant.phone or "")),
        (Column.SIGNS_IN, _("是") if meant.signs_in else ""),
        (Column.GRID, meant.grid or ""),
        (Column.BUILDING, meant.building or ""),
        (Column.DOOR, meant.door or ""),
        (Column.BORN, str(meant.born_on or "")),
        (Column.ROLES, _("、").join(translate(f"role.{role.value}") for role in sorted(meant.roles))),
    ]
    return [
        _("{column}：{value}").format(column=translate(column.value), value=value) for column, value in pairs if value
    ]


def unused_sentence(headings: Sequence[str], used: Collection[str]) -> str:
    """没有用到的列：电话号（是不是“手机号”？）. A column that the sheet has is not guessed again."""
    said = []
    for heading in headings:
        meant = nearest_column(heading)
        if meant is None or meant.value in used:
            said.append(heading)
        else:
            said.append(_("{heading}（是不是“{column}”？）").format(heading=heading, column=meant.value))
    return _("没有用到的列：{columns}").format(columns=_("、").join(said))


def _shown(column: Column, text: str) -> str:
    if not text:
        return _("（空）")
    return masked_phone(text.removeprefix("+86")) if column is Column.PHONE else text


def slip_place(person: Particulars) -> str:
    """Where a slip is delivered."""
    return " ".join(part for part in (person.building, person.door) if part)
