"""The only place where a no becomes a number: problem details (RFC 9457) for programs, a page in house style for people."""

import dataclasses
import traceback
from collections.abc import Sequence
from typing import Any, cast
from urllib.parse import quote

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException, PermissionDeniedException, ValidationException
from litestar.middleware.csrf import CSRFMiddleware
from litestar.response import Template

import ledger
import redemption
from service.kit import audit
from service.kit.access import Actor
from service.kit.db import is_connection_trouble, is_unstorable
from service.kit.i18n import _, translate
from service.kit.manifest import Manifest
from service.kit.pages import PageRefused, is_refusal, page, refusal_sentence, sidebar
from service.kit.read_only import ReadOnlyNow, is_about_writing
from service.kit.refusals import (
    Conflict,
    Gone,
    Invalid,
    NotAllowed,
    NotFound,
    NotSignedIn,
    Refusal,
    TooLarge,
    TooMany,
    Unavailable,
)

AnyRequest = Request[Any, Any, Any]
Answer = Response[Any] | Template

log = structlog.get_logger("linli")


class Broken(Refusal):
    """A mistake of ours."""

    code = "kit.broken"


HTTP_STATUS: tuple[tuple[type[Exception], int], ...] = (
    (NotSignedIn, 401),
    (NotAllowed, 403),
    (NotFound, 404),
    (Gone, 410),
    (TooLarge, 413),
    (Invalid, 422),
    (TooMany, 429),
    (Broken, 500),
    (Unavailable, 503),
    (Conflict, 409),
    (Refusal, 409),
    (redemption.OfferUnknown, 404),
    (redemption.VoucherUnknown, 404),
    (redemption.SettlementUnknown, 404),
    (redemption.AdjustmentUnknown, 404),
    (redemption.BankFileUnknown, 404),
    (redemption.DepartureUnknown, 404),
    (redemption.LineUnknown, 404),
    (redemption.UseUnknown, 404),
    (redemption.VoucherExpired, 410),
    (ledger.TooBusy, 503),
    (ledger.AccountNotFound, 404),
    (ledger.SealNotFound, 404),
    (ledger.EntryNotFound, 404),
    (ledger.LedgerRefusal, 409),
    (redemption.RedemptionRefusal, 409),
)


class Malformed(Invalid):
    """The request itself could not be read."""


def status_of(refusal: Exception) -> int:
    """The HTTP status of a refusal."""
    for kind, status in HTTP_STATUS:
        if isinstance(refusal, kind):
            return status
    return 409


def wants_json(request: AnyRequest) -> bool:
    """True for programs: the API, and whoever asks for JSON only."""
    return request.url.path.lower().startswith("/api/") or request.headers.get("accept", "").startswith(
        "application/json"
    )


@dataclasses.dataclass(frozen=True, slots=True)
class Again:
    """A form that was not even read: where it goes and everything that was typed, to be sent again by one press."""

    url: str
    fields: Sequence[tuple[str, str]]


def answer(request: AnyRequest, refusal: Exception, *, again: Again | None = None) -> Answer:
    """The refusal as this reader wants it."""
    status = status_of(refusal)
    sentence = refusal_sentence(refusal)
    if isinstance(refusal, Invalid) and set(refusal.problems.values()) == {"cursor"}:
        sentence = translate("problem.cursor")  # no field was typed: the address itself is what must change
    headers = _come_again(refusal, status)
    if wants_json(request):
        data = refusal.data() if isinstance(refusal, Refusal) else _library_data(refusal)
        body = {
            "type": "about:blank",
            "title": sentence,
            "status": status,
            "code": getattr(refusal, "code", "kit.refused"),
            "request_id": audit.request_id.get(),
            **cast("dict[str, object]", msgspec.to_builtins(data, enc_hook=str)),
        }
        return Response(body, status_code=status, media_type="application/problem+json", headers=headers)
    shown = page(
        request,
        "kit/error.html",
        status_code=status,
        status=status,
        title=_("没有办成"),
        message=sentence,
        request_id=(audit.request_id.get() or "") if status >= 500 else "",
        retry_after=headers.get("Retry-After"),
        again=again,
        in_office=_is_in_office(request),
    )
    shown.headers.update(headers)
    return shown


def _is_in_office(request: AnyRequest) -> bool:
    """True for an address of the desk and somebody who has work there: they keep the sidebar."""
    actor = request.scope.get("user")
    path = request.url.path
    slices: Sequence[Manifest] = request.app.state.slices
    return (
        (path == "/desk" or path.startswith("/desk/"))
        and isinstance(actor, Actor)
        and bool(sidebar(slices, actor, path))
    )


def _come_again(refusal: Exception, status: int) -> dict[str, str]:
    """When the same request may come again, where anybody knows."""
    seconds = (
        30
        if isinstance(refusal, ReadOnlyNow)
        else 5
        if status == 503
        else refusal.retry_seconds
        if isinstance(refusal, TooMany)
        else None
    )
    return {"Retry-After": str(seconds)} if seconds else {}


def _library_data(refusal: object) -> dict[str, object]:
    """The facts of a library's refusal; its own `detail` is for logs and stays inside."""
    if not dataclasses.is_dataclass(refusal):
        return {}
    return {item.name: getattr(refusal, item.name) for item in dataclasses.fields(refusal) if item.name != "detail"}


def on_refusal(request: AnyRequest, refusal: Exception) -> Answer:
    """A plain no. Whoever is not signed in and asked for a page is led to the sign-in and back."""
    if isinstance(refusal, NotSignedIn) and not wants_json(request) and request.method == "GET":
        return Response(
            b"", status_code=303, headers={"Location": f"/sign-in?next={_quoted(request)}", "Cache-Control": "no-store"}
        )
    return answer(request, refusal)


def _quoted(request: AnyRequest) -> str:
    query = f"?{request.url.query}" if request.url.query else ""
    return quote(request.url.path + query, safe="")


def on_page_refused(request: AnyRequest, refused: PageRefused) -> Answer:
    """The same page again with the sentence on top and everything that was typed."""
    status = status_of(refused.refusal)
    sentence = refusal_sentence(refused.refusal)
    problems = refused.context.get("problems")
    errors = dict(problems) if isinstance(problems, dict) and problems else {"_": sentence}
    context = {**refused.context, "refusal": sentence, "errors": errors}
    shown = page(request, refused.template, status_code=status, **context)
    shown.headers.update(_come_again(refused.refusal, status))
    return shown


def on_http(request: AnyRequest, problem: HTTPException) -> Answer:
    """What Litestar itself refuses: unknown paths, wrong methods, malformed bodies, missing CSRF tokens."""
    if isinstance(problem, PermissionDeniedException) and "CSRF" in str(problem.detail):
        return _form_too_old(request)
    if isinstance(problem, ValidationException) or problem.status_code in (400, 422):
        fields = {str(item.get("key") or "body"): "unreadable" for item in _items(problem)} or {"body": "unreadable"}
        return answer(request, Malformed(fields))
    refusals: dict[int, Exception] = {401: NotSignedIn(), 403: NotAllowed(), 413: TooLarge(), 429: TooMany()}
    if problem.status_code in (404, 405) or problem.status_code in refusals:
        shown = answer(request, refusals.get(problem.status_code, NotFound()))
        if problem.status_code == 405:
            shown.status_code = 405
            shown.headers.update(problem.headers or {})
        return shown
    return on_bug(request, problem)


def _form_too_old(request: AnyRequest) -> Answer:
    refused = answer(request, FormTooOld())
    refused.delete_cookie("csrftoken")  # a token of another secret would be refused for ever
    return refused


def _items(problem: HTTPException) -> list[dict[str, Any]]:
    extra = problem.extra
    return [item for item in extra if isinstance(item, dict)] if isinstance(extra, list) else []


class FormTooOld(NotAllowed):
    """The form was made for another session: open the page again."""

    code = "kit.form_too_old"


def on_bug(request: AnyRequest, error: Exception) -> Answer:
    """Everything else. The database being away is said as such; any other is our mistake, logged once with its trace."""
    if is_refusal(error):
        return on_refusal(request, error)
    if is_about_writing(error):
        log.warning("request.read_only")
        return answer(request, ReadOnlyNow())
    if is_connection_trouble(error):
        log.warning("database.unavailable", error=type(error).__name__)
        return answer(request, Unavailable())
    if is_unstorable(error):
        log.warning("request.unstorable", error=type(error).__name__)
        return answer(request, Malformed({"body": "unreadable"}))
    if _is_about_csrf_token(error):
        return _form_too_old(request)
    log.error("request.failed", exc_info=error)
    return answer(request, Broken())


def _is_about_csrf_token(error: Exception) -> bool:
    """Litestar compares tokens in a way that raises TypeError for other letters than ASCII: a wrong token like any other."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    return isinstance(error, TypeError) and frames[-1].f_globals.get("__name__") == CSRFMiddleware.__module__
