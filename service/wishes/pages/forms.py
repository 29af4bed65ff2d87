"""What the pages' forms carry, and the choices they offer."""

from datetime import date, datetime, time
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import msgspec
from litestar import Request

from service.kit.clock import HOME_ZONE
from service.kit.i18n import translate
from service.records import ServiceClass
from service.wishes.actions import Draft, Terms
from service.wishes.classes import CLASSES
from service.wishes.kinds import Warmth, WishCategory, WishKind

AnyRequest = Request[Any, Any, Any]


class WishForm(msgspec.Struct):
    """What somebody asks for."""

    kind: WishKind
    category: WishCategory
    title: str
    text: str
    expected_minutes: int
    preferred_time: str = ""
    revision: int | None = None

    def draft(self) -> Draft:
        """The same for the actions."""
        return Draft(self.kind, self.category, self.title, self.text, self.preferred_time, self.expected_minutes)


class WishForForm(WishForm, kw_only=True):
    """What staff write down for somebody."""

    member: UUID


class StepForm(msgspec.Struct):
    """A button."""

    revision: int | None = None


class NoteForm(msgspec.Struct):
    """A remark or a reason."""

    note: str = ""
    revision: int | None = None


class ServeForm(msgspec.Struct):
    """What was done, when, and for how many minutes; the time is the community's."""

    day: date
    start: time
    minutes: int
    note: str
    revision: int | None = None

    def started_at(self) -> datetime:
        """The instant it began."""
        return datetime.combine(self.day, self.start.replace(tzinfo=None), HOME_ZONE)


class ThanksForm(msgspec.Struct):
    """A thank-you, if one likes."""

    warmth: Warmth | None = None
    thanks: str = ""
    revision: int | None = None


class TermsForm(msgspec.Struct):
    """What a wish is worth to its helper."""

    service_class: ServiceClass
    reward_points: int = 0
    reward_budget: UUID | None = None
    revision: int | None = None

    def terms(self) -> Terms:
        """The same for the actions."""
        return Terms(self.service_class, self.reward_points, self.reward_budget)


class BulkForm(msgspec.Struct):
    """The rows that were ticked, each as id and revision; or one row's own button; or all that the filter finds."""

    ids: list[str] = msgspec.field(default_factory=list)
    one: str | None = None
    scope: str = "picked"
    view: str = "waiting"
    kind: WishKind | None = None
    category: WishCategory | None = None
    q: str = ""


class RecallForm(msgspec.Struct):
    """The rows of a bulk act that was a slip."""

    picked: str
    view: str = "waiting"


def kinds() -> list[tuple[str, str, str]]:
    """The three kinds, each with a word and a hint."""
    return [
        (kind.value, translate(f"wish.kind.{kind.value}"), translate(f"wish.kind_hint.{kind.value}"))
        for kind in WishKind
    ]


def categories() -> list[tuple[str, str]]:
    """The shelves of the wall."""
    return [(item.value, translate(f"wish.category.{item.value}")) for item in WishCategory]


def classes() -> list[tuple[str, str]]:
    """The service classes a wish can have."""
    return [(item.value, translate(f"class.{item.value}")) for item in CLASSES]


def warmths() -> list[tuple[str, str]]:
    """What a thank-you may say."""
    return [(item.value, translate(f"wish.warmth.{item.value}")) for item in Warmth]


def address(path: str, **params: object) -> str:
    """A path with the parameters that say something."""
    given = {name: str(value) for name, value in params.items() if value not in (None, "")}
    return f"{path}?{urlencode(given)}" if given else path


def picked_of(text: str) -> dict[UUID, int | None]:
    """`id.revision` words, separated by commas; what cannot be read is left out."""
    found: dict[UUID, int | None] = {}
    for word in text.split(","):
        wish_id, _, revision = word.partition(".")
        try:
            found[UUID(wish_id)] = int(revision) if revision else None
        except ValueError:
            continue
    return found
