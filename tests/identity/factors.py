"""An authenticator in somebody's hand."""

from datetime import timedelta

import pyotp

from tests.cast import Client, TownClock
from tests.identity.conftest import PIN


def code(secret: str, clock: TownClock, *, steps: int = 0) -> str:
    return pyotp.TOTP(secret).at(clock.now + timedelta(seconds=30 * steps))


async def enrol(whom: Client, clock: TownClock) -> tuple[str, list[str]]:
    """The secret and the recovery codes of somebody who just enrolled; the clock moves on so that the next code is fresh."""
    begun = await whom.post("/api/me/second-factor", json={"secret": PIN})
    assert begun.status_code == 201, begun.text
    secret = begun.json()["secret"]
    confirmed = await whom.post("/api/me/second-factor/confirmation", json={"code": code(secret, clock)})
    assert confirmed.status_code == 200, confirmed.text
    clock.move(seconds=60)
    return secret, confirmed.json()["codes"]
