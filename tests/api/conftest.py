"""A running service for clients that speak HTTP from outside."""

from collections.abc import Iterator

import pytest

from tests.browser.live import Live, serving
from tests.cast import UNLIMITED, Town
from tests.db import Steward


@pytest.fixture(scope="module")
def served(town_template: tuple[Town, Steward]) -> Iterator[Live]:
    """A town of this file's own, served; its worker is at work."""
    town, cloner = town_template
    with cloner.clone() as database, serving(database, town, **UNLIMITED) as live:
        yield live
