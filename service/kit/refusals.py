"""A plain no. Slices subclass these beside the rule that refuses; `kit.problems` turns them into answers.

A refusal carries data and no prose: the sentence is chosen late, by `code`, in the reader's language
(`refusal.<code>` in `service/locale`).
"""

from dataclasses import dataclass, fields
from typing import ClassVar


class Refusal(Exception):
    """Something a person asked for and will not get, with a stable code."""

    code: ClassVar[str] = "kit.refused"

    def data(self) -> dict[str, object]:
        """The facts of this refusal, by field name."""
        try:
            return {item.name: getattr(self, item.name) for item in fields(self)}  # type: ignore[arg-type] # subclasses are dataclasses
        except TypeError:
            return {}

    def __str__(self) -> str:
        return f"{self.code} {self.data()}"


class NotSignedIn(Refusal):
    """The page needs a person and nobody is signed in."""

    code: ClassVar[str] = "kit.not_signed_in"


class NotAllowed(Refusal):
    """The person is known and may not do this."""

    code: ClassVar[str] = "kit.not_allowed"


class NotFound(Refusal):
    """There is no such thing, or it is not theirs to see: both look the same from outside."""

    code: ClassVar[str] = "kit.not_found"


class Conflict(Refusal):
    """The thing is there but no longer in a state that allows this."""

    code: ClassVar[str] = "kit.conflict"


class Gone(Refusal):
    """It was there once and its time is over."""

    code: ClassVar[str] = "kit.gone"


class TooMany(Refusal):
    """Too often or too much in too short a time."""

    code: ClassVar[str] = "kit.too_many"

    @property
    def retry_seconds(self) -> int | None:
        """After so many seconds at most it may be tried again; None when nobody can say."""
        minutes = getattr(self, "minutes", None)
        return minutes * 60 if isinstance(minutes, int) else None


@dataclass(eq=False)
class Invalid(Refusal):
    """What was sent cannot be read; `problems` names each field and the code of what is wrong with it."""

    code: ClassVar[str] = "kit.invalid"
    catalogue: ClassVar[str] = "problem"
    """Where the sentence of each problem stands: `<catalogue>.<code>`."""
    problems: dict[str, str]

    def problem_values(self, name: str) -> dict[str, str]:
        """What the sentence beside a field names; most name nothing."""
        del name
        return {}


class TooLarge(Refusal):
    """The body is larger than this route takes."""

    code: ClassVar[str] = "kit.too_large"


class Unavailable(Refusal):
    """The database or another part is away for the moment; nothing was changed and the same request may come again."""

    code: ClassVar[str] = "kit.unavailable"
