"""How long it takes to close a shop's batch of 100,000 uses, and in how much of the server's memory. Ends with one line of JSON.

    ./dev bench settle [--uses N] [--json FILE]

One shop, vouchers of a hundred pieces each, every piece a use with its own journal of two transfers in the ledger. The
postings are real; vouchers and uses are laid into their tables as scans would have left them, since scanning takes minutes.
Closing is the real function with every rule of the watch, on a durable server in a temporary folder. `cpu` are processor
seconds of the server's process, which the load of a machine hardly changes; `mb` is by how much it outgrew what it began
with, shared pages not counted.
"""

import argparse
import asyncio
import json
import os
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg

import ledger
import redemption
from bench.verify import watched
from ledger import Journal, Leg
from migrations import runner
from service.kit.embedded_pg import server
from service.kit.ids import new_id
from tests.db import Sessions, open_engine, sessions_of
from tests.redemption.market import Market, account

BOOK, PIECES, AT_ONCE = 7, 100, 5_000
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
WATCH = redemption.Watch(
    zone="Asia/Shanghai",
    hours_grace_minutes=15,
    seconds_between=5,
    member_per_day=100,
    sigmas=4,
    typed_fen_per_day=5000,
)
FILL = """
INSERT INTO redemption.device (community_id, device_id, kind, registered_at)
VALUES ({book}, '{device}', 'browser', '{now}');
INSERT INTO redemption.voucher (community_id, voucher_id, offer_id, sponsor_id, member_id, short_code, state, quantity_total,
    quantity_used, points_each, subsidy_points_each, payable_fen_each, cash_fen_each, offline_class, use_seq, event_seq,
    issued_at, expires_at, due_at, changed_at)
SELECT {book}, n, '{offer}', '{sponsor}', gen_random_uuid(),
       translate(lpad(n::text, 9, 'C'), '01', 'AB'), 'USED', {pieces}, {pieces},
       19, 1, 1500, 0, 0, {pieces}, {pieces}, '{now}'::timestamptz - interval '2 days', '{now}', '{now}', '{now}'
  FROM generate_series(1, {vouchers}) n;
INSERT INTO redemption.use (community_id, voucher_id, seq, device_id, nonce, merchant_id, clerk_id, quantity, points,
                            subsidy_points, payable_fen, cash_fen, code_seq, state, scanned_at, received_at, journal_id)
SELECT {book}, 1 + (n - 1) / {pieces}, 1 + (n - 1) % {pieces}, '{device}', gen_random_uuid(),
       '{barber}'::uuid, '{clerk}', 1, 19, 1, 1500, 0, 1, 'ACCEPTED',
       '{now}'::timestamptz - n * interval '6 s', '{now}'::timestamptz - n * interval '6 s', j.journal_id
  FROM generate_series(1, {uses}) n
  JOIN ledger.journal j ON j.community_id = {book} AND j.reference = 'bench:' || n;
VACUUM (ANALYZE);
"""


async def lay(superuser_url: str, sessions: Sessions, uses: int) -> Market:
    """A market with one shop and its uses."""
    market = await Market(sessions, book=BOOK, now=NOW - timedelta(days=40)).open(
        budget_fen=1500 * uses, budget_points=uses
    )
    offer = await market.publish(stock_total=uses)
    for first in range(1, uses + 1, AT_ONCE):
        credited = [
            Journal(
                f"bench:{n}",
                "voucher_used",
                (
                    Leg("issued", account("merchant", market.barber), "point", 2000),
                    Leg("bank", account("merchant", market.barber), "fen", 1500),
                ),
                market.clerk,
            )
            for n in range(first, min(first + AT_ONCE, uses + 1))
        ]
        async with sessions.begin() as session:
            verdicts = await ledger.post_many(session, BOOK, credited, now=NOW)
            assert all(isinstance(verdict, ledger.Posted) for verdict in verdicts)
    words = FILL.format(
        book=BOOK, device=market.device, offer=offer.offer_id, sponsor=market.sponsor, barber=market.barber.hex,
        clerk=market.clerk, now=NOW.isoformat(), pieces=PIECES, uses=uses, vouchers=-(-uses // PIECES),
    )  # fmt: skip
    connection = await asyncpg.connect(superuser_url)
    for statement in words.split(";\n"):
        if statement.strip():
            await connection.execute(statement)
    await connection.close()
    return market


def processor_seconds(pid: int) -> float:
    """What a process has used of the processor."""
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


async def run(owner_url: str, app_url: str, superuser_url: str, uses: int) -> dict[str, object]:
    """Lay them, close them, and look that nothing was left."""
    await runner.upgrade(owner_url)
    async with open_engine(app_url) as engine:
        sessions = sessions_of(engine)
        market = await lay(superuser_url, sessions, uses)
        async with sessions() as session:
            pid = (await (await session.connection()).exec_driver_sql("SELECT pg_backend_pid()")).scalar_one()
            started, spent = time.perf_counter(), processor_seconds(pid)
            async with watched(os.getpid(), pid) as most:
                batch = await redemption.close_settlement(
                    session, BOOK, settlement_id=new_id(), merchant_id=market.barber, received_until=NOW,
                    actor_id=market.finance, watch=WATCH, now=NOW,
                )  # fmt: skip
                await session.commit()
            seconds, cpu = time.perf_counter() - started, processor_seconds(pid) - spent
    assert (batch.line_count, batch.payable_fen) == (uses, 1500 * uses)
    return {"uses": uses, "seconds": round(seconds, 2), "cpu": round(cpu, 2), "mb": round(most[1])}


def main() -> None:
    words = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    words.add_argument("--uses", type=int, default=100_000)
    words.add_argument("--json", type=Path)
    chosen = words.parse_args()
    load = [round(value, 1) for value in os.getloadavg()]
    with tempfile.TemporaryDirectory(prefix="linli-bench-") as folder, server(Path(folder) / "postgres") as cluster:
        found = asyncio.run(run(cluster.owner_url, cluster.app_url, cluster.superuser_url, chosen.uses))
    text = json.dumps({**found, "load_before": load})
    print(text)
    if chosen.json:
        chosen.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
