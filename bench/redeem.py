"""A voucher used at the counter, over HTTP as shipped. Ends with one line of JSON.

    ./dev bench redeem [--scans N] [--rounds N] [--rate PER_SECOND] [--json FILE]

The community of `bench/http.py`, served as `linli serve` does, with the database durable and the facts delivered meanwhile. Every
scan is of a voucher that was never used, by clerks' phones that ask one thing after the other on a connection each: 1, 8 and
32 of them; then at a fixed rate, where an answer's time counts from the moment it was due. `cpu_ms_app` and `cpu_ms_db` are
what one scan costs, its fact's delivery included. `round_trips` is counted by a proxy before the database, in a service of its
own. The yardstick is a leading ticket system's redeem on such a machine: 17 to 31 a second, 53 to 75 ms of processor time, 23
statements.
"""

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from pathlib import Path

from sqlalchemy.engine import make_url

from bench.http import Bench, Measured, machine, prepare, zip_first
from service.kit.embedded_pg import server
from tests.crash.installation import Installation
from tests.proxy import standing_before

Figures = dict[str, float]
CLIENTS = (1, 8, 32)
OPEN_SECONDS, OPEN_CONNECTIONS = 3, 32
WARM, COUNTED = 8, 20


async def open_loop(bench: Bench, rate: int) -> Figures:
    """Scans due at a fixed rate, whoever is free sends the next; how late the answers came."""
    took: list[float] = []
    due = iter(range(rate * OPEN_SECONDS))
    start = time.perf_counter()

    async def phone(number: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", bench.place.port)
        for request, turn in zip(bench.scanning(number), due, strict=False):
            moment = start + turn / rate
            await asyncio.sleep(max(0, moment - time.perf_counter()))
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200"), head
            await reader.readexactly(int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0]))
            took.append((time.perf_counter() - moment) * 1000)
        writer.close()

    await asyncio.gather(*(phone(number) for number in range(OPEN_CONNECTIONS)))
    hundredths = statistics.quantiles(took, n=100)
    rate_kept = len(took) / (time.perf_counter() - start)
    return {"rps": round(rate_kept, 1), "p50_ms": round(hundredths[49], 1), "p99_ms": round(hundredths[98], 1)}


async def loops(bench: Bench, rounds: int, scans: int) -> dict[int, Figures]:
    """Every number of clients in turn, after one round that warms everything."""
    found: dict[int, list[Measured]] = {clients: [] for clients in CLIENTS}
    for number in range(rounds + 1):
        for clients, kept in found.items():
            measured = await bench.measure("scan", clients, 0, scans)
            if number:
                kept.append(measured)
    return {
        clients: {
            "rps": round(statistics.median(one.per_second for one in kept)),
            "p50_ms": round(statistics.median(one.p50_ms for one in kept), 1),
            "p99_ms": round(statistics.median(one.p99_ms for one in kept), 1),
            "cpu_ms_app": round(statistics.median(one.service_cpu_ms for one in kept), 2),
            "cpu_ms_db": round(statistics.median(one.database_cpu_ms for one in kept), 2),
        }
        for clients, kept in found.items()
    }


async def counting(place: Installation, bench: Bench) -> float:
    """How often the service waits for the database in one scan."""
    with server(place.postgres) as cluster:
        async with standing_before(str(cluster.socket)) as proxy:
            url = proxy.url("linli_app", str(make_url(cluster.app_url).database))
            there = Installation(place.folder, {"LINLI_DATABASE_URL": url, "LINLI_WORKER": "false"}, port=place.port)
            there.start()
            try:
                await asyncio.to_thread(there.wait_until_ready)
                took: list[float] = []
                turns = 0
                for scans in (WARM, COUNTED):
                    proxy.forget()
                    work = zip_first(bench.scanning(0), iter(range(scans)))
                    await bench.connection(work, float("inf"), took)
                    turns = proxy.turns
                assert await asyncio.to_thread(there.stop) == 0
            finally:
                if there.process is not None and there.process.poll() is None:
                    there.kill()
    return turns / COUNTED


def summary(clients: dict[int, Figures], fixed: Figures, round_trips: float) -> Figures:
    """The last line."""
    return {
        **{f"rps_{number}": clients[number]["rps"] for number in CLIENTS},
        **{f"p99_ms_{number}": clients[number]["p99_ms"] for number in CLIENTS},
        "cpu_ms_app": clients[8]["cpu_ms_app"],
        "cpu_ms_db": clients[8]["cpu_ms_db"],
        "round_trips": round_trips,
        "open_rps": fixed["rps"],
        "open_p99_ms": fixed["p99_ms"],
    }


async def driven(bench: Bench, rounds: int, scans: int, rate: int) -> tuple[dict[int, Figures], Figures]:
    """One after the other, and then at the fixed rate."""
    return await loops(bench, rounds, scans), await open_loop(bench, rate)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--scans", type=int, default=400, help="in each round at each number of clients")
    parser.add_argument("--rate", type=int, default=400, help="a second, in the open loop")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        place = Installation(Path(name))
        load = machine()
        place.found()
        vouchers = options.scans * len(CLIENTS) * (options.rounds + 1)
        with server(place.postgres) as cluster:
            town = asyncio.run(prepare(cluster.app_url, place.keyring(), vouchers + options.rate * OPEN_SECONDS + 64))
        bench = Bench(place, town, place.keyring())
        try:
            round_trips = asyncio.run(counting(place, bench))
            place.start()
            place.wait_until_ready()
            clients, fixed = asyncio.run(driven(bench, options.rounds, options.scans, options.rate))
            assert place.stop() == 0
        finally:
            place.close()
    text = json.dumps({"machine": load, "clients": clients, "open_loop": fixed}, indent=2)
    print(text)
    print(json.dumps(summary(clients, fixed, round_trips)))
    if options.json:
        options.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
