"""What the counter's screen says about a verdict, in the reader's language."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from litestar import Response

import redemption
from service.kit.i18n import _, translate
from service.kit.words import points, sentence, yuan
from service.vouchers.payloads import ScanOut
from service.vouchers.payloads.devices import VerdictOut
from service.vouchers.rules import ScanState, undo_until

STATUS = {
    "kit.not_signed_in": 401,
    "kit.not_allowed": 403,
    "vouchers.scan_forged": 404,
    "vouchers.scan_unknown": 404,
    "vouchers.scan_malformed": 422,
    "vouchers.scan_stale": 410,
    "vouchers.scan_revoked": 410,
    "vouchers.scan_expired": 410,
    "vouchers.scan_code_outdated": 410,
    "vouchers.too_many_invalid_scans": 429,
}
COMPARE = "vouchers.scan_compare"
"""The question whether the name was compared: answered by the same scan again."""


def said(verdict: Mapping[str, Any], *, answer_url: str | None = None, url_label: str | None = None) -> ScanOut:
    """The verdict of the database as a screen: colour, word, reason, and what to hand over."""
    state = verdict.get("state", ScanState.REFUSED)
    code = str(verdict["code"])
    received = _instant(verdict.get("received_at"))
    answer = ScanOut(
        state=state,
        code=code,
        title=translate("scan.compare" if code == COMPARE else f"scan.{state}"),
        detail=_detail(state, code, verdict, received),
        item=str(verdict.get("title") or ""),
        value=_value(verdict),
        who=_("卡号尾号 {tail}").format(tail=verdict["card_tail"]) if verdict.get("card_tail") else "",
        undo_until=undo_until(received) if state == ScanState.OK and received else None,
    )
    if state == ScanState.OK:
        # A phone counts what it heard was used, whatever way the code was said.
        answer.points = int(verdict["points"]) + int(verdict["subsidy_points"])
        answer.voucher_id, answer.quantity = str(verdict["voucher_id"]), int(verdict["quantity"])
        return answer
    if code == COMPARE:
        answer.compare = _("核对过了，核销")
    if state == ScanState.QUESTION:
        answer.url, answer.url_label = answer_url, url_label or _("选几份")
    answer.status, answer.type = STATUS.get(code, 409), "about:blank"
    return answer


def _detail(state: str, code: str, verdict: Mapping[str, Any], received: datetime | None) -> str:
    if state == ScanState.OK:
        rest = _("这张券还能用 {open} 份。").format(open=verdict["open"]) if verdict.get("open") else ""
        return _("已经记到今天的账上。") + rest
    if state == ScanState.USED and received is not None:
        return sentence("scan.used_when", when=received, shop=verdict.get("used_at_shop") or "")
    return sentence(
        f"refusal.{code}",
        minutes=verdict.get("minutes", ""),
        open=verdict.get("open", ""),
        yuan=yuan(int(verdict.get("day_fen", 0))),
    )


def _value(verdict: Mapping[str, Any]) -> str:
    if verdict.get("points") is None:
        return ""
    whole = int(verdict["points"]) + int(verdict.get("subsidy_points") or 0)
    text = _("{points} 分").format(points=points(whole * 100))
    if int(verdict.get("quantity") or 1) > 1:
        text = _("{count} 份，{text}").format(count=verdict["quantity"], text=text)
    if verdict.get("cash_fen"):
        text += _("，另收 {yuan} 元").format(yuan=yuan(int(verdict["cash_fen"])))
    return text


def uploaded(answer: Mapping[str, Any]) -> VerdictOut:
    """What the phone shows of a record that was uploaded: what became of it, why, and who bears it."""
    reason, bearer = str(answer["reason"]), answer["bearer"]
    text = translate(f"upload.reason.{reason}")
    if bearer and reason != "undo_late":
        text += translate(f"upload.bearer.{bearer}")
    return VerdictOut(
        nonce=UUID(answer["nonce"]),
        verdict=str(answer["verdict"]),
        reason=reason,
        bearer=bearer,
        title=str(answer.get("title") or translate(f"upload.verdict.{answer['verdict']}")),
        text=text,
    )


def _instant(text: object) -> datetime | None:
    return datetime.fromisoformat(text) if isinstance(text, str) else None


def answered(answer: ScanOut) -> Response[ScanOut]:
    """The screen as an HTTP answer: 200 when goods may leave the shop, a problem with the same fields when not."""
    if answer.status is msgspec.UNSET:
        return Response(answer, status_code=200)
    return Response(answer, status_code=int(answer.status), media_type="application/problem+json")


def undone(use: redemption.Use) -> ScanOut:
    """The screen after an undo: the points are back with the voucher."""
    return ScanOut(
        state=ScanState.OK,
        code="vouchers.use_reversed",
        title=translate("scan.undone"),
        detail=_("积分退回到券里，顾客可以再用。旧的码作废了。"),
        item=use.title,
        value=_("{points} 分").format(points=points((use.points + use.subsidy_points) * 100)),
        who="",
        undo_until=None,
        points=-(use.points + use.subsidy_points),
    )
