"""What every refusal of the library is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, ClassVar, Self

Detail = Mapping[str, Any]


@dataclass(eq=False)
class RedemptionRefusal(Exception):
    """A plain no. What a sentence may name are fields; `detail` is all that the SQL function gave."""

    code: ClassVar[str] = "redemption.refused"
    detail: Detail = field(default_factory=dict)

    @classmethod
    def from_answer(cls, detail: Detail) -> Self:
        """The refusal with its fields taken from a function's answer."""
        named = {each.name: detail[each.name] for each in fields(cls) if detail.get(each.name) is not None}
        for name, value in named.items():
            if name.endswith(("_at", "_from", "_until")):
                named[name] = datetime.fromisoformat(value)
        return cls(detail=detail, **named)
