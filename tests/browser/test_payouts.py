"""A shop's bank account, by two people, and the pages about it: accessible, narrow enough, in one language."""

import pytest

from tests.browser.conftest import DESK, Visitor, shot
from tests.browser.judge import axe, foreign, sideways, small
from tests.browser.seen import texts_of_people
from tests.browser.test_pages import WAYS

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def propose(visit: Visitor, account: str) -> str:
    """Finance writes a shop's account down; the address of the shop's page."""
    qian = visit.page("qian", viewport=DESK)
    qian.goto(f"{visit.live.origin}/desk/payouts")
    qian.get_by_role("link", name="周记面包坊").click()
    qian.get_by_label("户名").fill("周记面包坊")
    qian.get_by_label("开户银行").fill("工商银行兴乐支行")
    qian.get_by_label("账号").fill(account)
    qian.get_by_label("原因").fill("开户")
    qian.get_by_role("button", name="交给第二人").click()
    return qian.url.split("?")[0]


def test_the_pages_of_an_account_that_two_people_change(visit: Visitor) -> None:
    place = propose(visit, "6222021234567890123")
    feng = visit.page("feng", viewport=DESK)
    feng.goto(place)
    feng.get_by_role("button", name="同意，换成这个账户").click()
    propose(visit, "6222021234567894444")

    known, wrong = texts_of_people(visit.live.database), []
    for way, options in WAYS.items():
        for who in ("qian", "feng"):
            page = visit.page(who, **options)
            for url in (f"{visit.live.origin}/desk/payouts", f"{visit.live.origin}/desk/payouts/files", place):
                page.goto(url)
                if way in ("phone", "desk", "desk-en"):
                    shot(page, f"payouts-{who}-{url.rpartition('/')[2][:6]}-{way}")
                found = axe(page) + sideways(page) + foreign(page, known)
                if "elder" in way:
                    found += small(page)
                wrong += [f"{url} {who} [{way}]: {item}" for item in found]
    assert wrong == []
