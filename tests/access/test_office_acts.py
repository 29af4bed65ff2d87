"""Each act of the office says whether it asks for the second factor, in a table that people read: `office_acts.txt`."""

import re

import pytest
from litestar import Litestar

from service.kit.access import OFFICE
from service.kit.office_acts import TABLE, asks_for_a_code, office_acts
from tests.access.test_routes import routes
from tests.access.test_twins import twins

MONEY_OR_RIGHTS = re.compile(
    r"/(settlements|payouts|pledges|budgets|openings|debts|corrections|fund|years|closings|reversal|reverse|roles|settings"
    r"|slips?|papers|paper-batches|tickets?|publication|publish|apply)(/|$)"
)
"""Addresses that nobody may take out of the question, whatever the reason."""


def lines() -> list[list[str]]:
    return [line.split() for line in TABLE.read_text("utf-8").splitlines() if line.strip() and not line.startswith("#")]


def test_every_act_of_the_office_is_asked_or_says_why_not(the_app: Litestar) -> None:
    served = routes(the_app)
    acts = {key for key, handler in served.items() if key[0] != "GET" and _is_the_offices(handler.opt.get("allow"))}

    assert sorted(acts - set(office_acts())) == []
    assert sorted(set(office_acts()) - set(served)) == []
    assert len(lines()) == len(office_acts())
    for words in lines():
        assert words[2] == "asked" or (words[2] == "-" and len(words) > 4), words


def _is_the_offices(rule: object) -> bool:
    return isinstance(rule, frozenset) and not rule.isdisjoint(OFFICE)


def test_money_and_rights_are_always_asked() -> None:
    free = [key for key, asked in office_acts().items() if not asked and MONEY_OR_RIGHTS.search(key[1])]

    assert free == []
    assert sum(office_acts().values()) > 200


def test_a_page_and_its_twin_say_the_same() -> None:
    acts = office_acts()
    differing = [
        (page, twin)
        for page, twin in twins().items()
        if twin is not None and acts.get(("POST", page), False) != acts.get(twin, False)
    ]

    assert differing == []


@pytest.mark.parametrize(("is_the_offices", "asked"), [(True, True), (False, False)])
def test_what_nobody_decided_about_is_asked(*, is_the_offices: bool, asked: bool) -> None:
    assert asks_for_a_code("POST", "/desk/made/tomorrow", is_the_offices=is_the_offices) is asked
