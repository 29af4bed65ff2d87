"""The API against its own description: whatever anybody sends, no answer is a mistake of ours."""

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from litestar.middleware.csrf import generate_csrf_token

from service.kit.access import Role
from service.kit.edge import SESSION_COOKIE
from tests.access.test_routes import table
from tests.browser.live import Live
from tests.cast import KEYRING, PEOPLE

pytestmark = pytest.mark.slow

CASES = 20
PATIENCE_SECONDS = 60
"""Speed is not the question here, and the machine may be busy."""
ENDS_THE_SESSION = {("DELETE", "/api/session"), ("POST", "/api/session")}


def somebody_who_may(method: str, path: str) -> str:
    """A person of the town whom the route lets in, so that the cases reach what lies behind the guard."""
    for (listed, address), who in table().items():
        plain = address.replace(":uuid}", "}").replace(":int}", "}").replace(":str}", "}")
        if (listed, plain) == (method, path):
            roles = {Role(word) for word in who.split()} if who not in ("public", "signed_in", "database") else set()
            return next((name for name, person in PEOPLE.items() if roles & set(person[3])), "chen")
    return "chen"


def test_nothing_that_fits_or_breaks_the_description_is_answered_with_a_mistake_of_ours(served: Live) -> None:
    description = schemathesis.openapi.from_dict(served.app.openapi_schema.to_schema())
    token = generate_csrf_token(KEYRING.key("csrf").hex())
    wrong: list[str] = []
    asked = 0
    for found in description.get_all_operations():
        operation = found.ok()  # type: ignore[union-attr] # an unreadable operation raises here, which is the point
        method, path = operation.method.upper(), operation.path
        if (method, path) in ENDS_THE_SESSION:
            continue
        person = somebody_who_may(method, path)
        cookies = {SESSION_COOKIE: served.town.cookies[person], "csrftoken": token}

        @given(case=operation.as_strategy())
        @settings(
            max_examples=CASES,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        def ask(case: schemathesis.Case) -> None:
            nonlocal asked
            headers, patience = {"x-csrftoken": token}, PATIENCE_SECONDS
            answer = case.call(base_url=served.origin, headers=headers, cookies=cookies, timeout=patience)  # noqa: B023
            asked += 1
            if answer.status_code >= 500:
                wrong.append(f"{method} {path} as {person}: {answer.status_code} {case.body!r}"[:400])  # noqa: B023

        ask()
    assert asked > 1000
    assert wrong == []
