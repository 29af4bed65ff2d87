"""A service with a crowd at it, ways to kill parts of it, and the proof that every promise was kept."""

import asyncio
import contextlib
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from service.kit.embedded_pg import server
from tests.crash.crowd import PRICE_POINTS, START_POINTS, Crowd, Street, books
from tests.crash.installation import Installation

CUT = {
    "ConnectError",
    "ReadError",
    "WriteError",
    "RemoteProtocolError",
    "ReadTimeout",
    "WriteTimeout",
    "ConnectTimeout",
}
ANSWERS = {"200", "201", "204", "409", "503"} | CUT
"""Yes, no, come again, and a line that was cut. Nobody is ever told that we are broken."""


@asynccontextmanager
async def busy(place: Installation, street: Street, people: int, *, is_redeeming: bool = False) -> AsyncIterator[Crowd]:
    """The service with so many at it; at the end each finishes what they had begun."""
    place.start()
    crowd = Crowd(place.origin, street, place.keyring())
    async with asyncio.TaskGroup() as group:
        for number in range(people):
            group.create_task(crowd.redeem(number) if is_redeeming else crowd.live(number))
        yield crowd
        crowd.going = False


async def check(place: Installation, crowd: Crowd) -> None:
    """Every yes is in the books, once, and nothing else is."""
    assert place.stop() == 0, place.log.read_text()
    assert place.database_processes() == []
    assert set(crowd.seen) <= ANSWERS, crowd.seen
    taken, returned, scanned = [crowd.by_ending(end) for end in ("/vouchers", "/cancellation", "/scans")]
    with server(place.postgres) as cluster:
        found = await books(cluster.app_url, crowd.keyring, crowd.street)

    assert {act.status for act in taken} == {201}
    ids = [int(act.answer["voucher_id"]) for act in taken]
    assert sorted(found["vouchers"]) == sorted(ids)
    assert {act.status for act in returned} <= {204}
    rest = len(taken) - len(returned) - len(scanned)
    assert Counter(found["vouchers"].values()) == Counter(CANCELLED=len(returned), USED=len(scanned), ISSUED=rest)
    assert {act.answer["state"] for act in scanned} == {"ok"}
    assert sorted(nonce for _, nonce in found["uses"]) == sorted(act.body["nonce"] for act in scanned)
    spent = (len(taken) - len(returned)) * PRICE_POINTS * 100
    assert sum(found["points"]) == len(crowd.street.members) * START_POINTS * 100 - spent
    facts = Counter(found["facts"])
    assert (facts["VoucherIssued"], facts["VoucherReturned"], facts["VoucherRedeemed"]) == (
        len(taken),
        len(returned),
        len(scanned),
    )
    assert found["faults"] == []
    # Whoever asked a second time what they had been told was told the same, and nothing else happened.
    assert {(act.status, act.answer["state"]) for act in crowd.asked_again} <= {(200, "ok")}


def kill_postmaster(place: Installation) -> None:
    """The server's first process dies; the others find that out and leave."""
    os.kill(place.postmaster(), signal.SIGKILL)


def kill_one_backend(place: Installation) -> None:
    """One process of the server dies, so that it throws everybody out and recovers by itself."""
    while True:
        with contextlib.suppress(ProcessLookupError):  # it may have left between our looking and our killing
            os.kill(max(set(place.database_processes()) - {place.postmaster()}), signal.SIGKILL)
            return


def stop_politely(place: Installation) -> None:
    """Somebody stops the server by hand."""
    os.kill(place.postmaster(), signal.SIGINT)


def kill_the_service(place: Installation) -> None:
    """The process that answers dies, and is started again."""
    place.kill()
    place.start()


def pull_the_plug(place: Installation) -> None:
    """Everything dies at once, and is started again."""
    place.pull_the_plug()
    place.start()


KILLS: tuple[Callable[[Installation], None], ...] = (kill_the_service, kill_postmaster, kill_one_backend, pull_the_plug)
"""kill -9 of the service, of PostgreSQL in two ways, and of both."""
