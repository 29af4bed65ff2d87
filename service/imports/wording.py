"""How rows and their problems are said to people."""

from service.identity import Particulars
from service.imports.cells import Column, Problem
from service.imports.compare import Change
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


def _shown(column: Column, text: str) -> str:
    if not text:
        return _("（空）")
    return masked_phone(text.removeprefix("+86")) if column is Column.PHONE else text


def slip_place(person: Particulars) -> str:
    """Where a slip is delivered."""
    return " ".join(part for part in (person.building, person.door) if part)
