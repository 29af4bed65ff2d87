"""Reading a browser's form into a struct, naming every field that cannot be read, not just the first."""

import re
import types
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from enum import Enum
from typing import Any, TypeVar, Union, get_args, get_origin
from uuid import UUID

import msgspec
from litestar import Request
from litestar.datastructures import UploadFile
from litestar.exceptions import ClientException
from litestar.status_codes import HTTP_413_REQUEST_ENTITY_TOO_LARGE

from service.kit.clock import HOME_ZONE
from service.kit.refusals import Invalid, TooLarge

S = TypeVar("S", bound=msgspec.Struct)
AnyRequest = Request[Any, Any, Any]

BIGINT = 2**63
"""No column holds a larger number."""
_WHOLE = re.compile(r"[+-]?\d+")
_MANY = (list, tuple, frozenset, set)


class Unreadable(Invalid):
    """Fields that cannot be read, with what each of them takes."""

    def __init__(self, problems: dict[str, str], limits: Mapping[str, Mapping[str, str]]) -> None:
        super().__init__(problems)
        self.limits = limits

    def problem_values(self, name: str) -> dict[str, str]:
        """The range or the digits that a field takes."""
        return dict(self.limits.get(name, {}))


async def form_of(request: AnyRequest, form: type[S]) -> S:
    """The form as a struct. Raises Invalid with a problem code per field (`problem.<code>` has the sentence).

    An empty input counts as not given; a checkbox is a bool; a `datetime-local` input is on the community's clock.
    What was typed is kept on the request, so that `refill` can show it again.
    """
    try:
        raw = await request.form()
    except ClientException as problem:
        if problem.status_code == HTTP_413_REQUEST_ENTITY_TOO_LARGE:
            raise TooLarge from problem
        raise Invalid({"form": "unreadable"}) from problem
    request.state.form_values = {key: raw.getall(key) for key in raw if key not in ("_csrf_token", "_key")}
    given: dict[str, object] = {}
    problems: dict[str, str] = {}
    limits: dict[str, Mapping[str, str]] = {}
    for field in msgspec.structs.fields(form):
        texts = [
            value if isinstance(value, UploadFile) else str(value).replace("\r\n", "\n").strip()
            for value in raw.getall(field.encode_name, [])
        ]
        try:
            value = _value(field.type, [text for text in texts if text != ""])
        except (msgspec.ValidationError, ValueError) as problem:
            code, limits[field.encode_name] = _code(field.type, str(problem), texts)
            problems[field.encode_name] = code
            continue
        if value is not None:
            given[field.name] = value
        elif field.required:
            problems[field.encode_name] = "required"
    if problems:
        raise Unreadable(problems, limits)
    return form(**given)


def _plain(kind: Any) -> Any:
    """A type without its None."""
    if get_origin(kind) in (Union, types.UnionType):
        rest = [part for part in get_args(kind) if part is not type(None)]
        return rest[0] if len(rest) == 1 else kind
    return kind


def _base(kind: Any) -> Any:
    """A type without its None and its Meta."""
    plain = _plain(kind)
    return get_args(plain)[0] if hasattr(plain, "__metadata__") else plain


def _meta(kind: Any) -> msgspec.Meta | None:
    """What a type without its None demands of its values."""
    found = [item for item in getattr(_plain(kind), "__metadata__", ()) if isinstance(item, msgspec.Meta)]
    return found[0] if found else None


def _value(kind: Any, texts: list[Any]) -> object:
    plain, base = _plain(kind), _base(kind)
    if any("\x00" in text for text in texts if isinstance(text, str)):
        raise ValueError("text")
    if get_origin(base) in _MANY:
        item = get_args(base)[0]
        return msgspec.convert([_value(item, [text]) for text in texts], plain, strict=False)
    if base is bool:
        return bool(texts) and texts[-1] not in ("0", "false", "off", "no")
    if not texts:
        return None
    text = texts[-1]
    if base is UploadFile:
        return text if isinstance(text, UploadFile) else None
    if isinstance(text, UploadFile):
        raise ValueError("file")  # noqa: TRY004 (told to a person, like every other unreadable field)
    return _single(base, plain, text)


def _single(base: Any, plain: Any, text: str) -> object:
    if base is time:
        return time.fromisoformat(text)  # browsers leave the seconds out
    if base is datetime:
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=HOME_ZONE) if moment.tzinfo is None else moment
    value = msgspec.convert(text, plain, strict=False)
    if type(value) is int and not -BIGINT <= value < BIGINT:
        raise ValueError("number")
    return value


def _code(kind: Any, problem: str, texts: Sequence[object]) -> tuple[str, Mapping[str, str]]:
    """The problem code of a field and what it names, from the field's type, what was typed and what msgspec said.

    A type may name its own problem and values: `msgspec.Meta(pattern=…, extra={"problem": "money", "digits": "7"})`.
    """
    base, meta = _base(kind), _meta(kind)
    if (
        base is int
        and meta is not None
        and meta.ge is not None
        and meta.le is not None
        and _WHOLE.fullmatch(str(texts[-1]))
    ):
        return "range", {"least": str(meta.ge), "most": str(meta.le)}
    if meta is not None and meta.extra and problem.startswith("Expected `str` matching"):
        return str(meta.extra["problem"]), {name: str(value) for name, value in meta.extra.items()}
    return _plain_code(base, problem), {}


def _plain_code(base: Any, problem: str) -> str:
    if get_origin(base) in _MANY and "length" not in problem:
        base = _base(get_args(base)[0])
    if base is UUID or (isinstance(base, type) and issubclass(base, Enum)):
        return "choice"
    if "length <=" in problem or "length >=" in problem:
        return "too_long" if "<=" in problem else "too_short"
    return {int: "number", date: "date", datetime: "date", time: "time"}.get(base, "text")
