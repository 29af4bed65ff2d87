"""Many shops at once, few connections, cut connections: every line counts once, and everybody is told the truth."""

import asyncio
import time

import asyncpg
import pytest

import ledger
from service import chart
from service.kit.db import make_engine, make_poster, make_sessions
from tests.cast import HERE, KEYRING, client_of
from tests.fund.conftest import line, owed, rows, sent

pytestmark = pytest.mark.anyio


@pytest.fixture
async def four_connections(app, town_database):
    """The app with a pool of four connections."""
    engine = make_engine(town_database.app_url, pool_size=4)
    was = (app.state.engine, app.state.sessions, app.state.poster)
    app.state.engine, app.state.sessions = engine, make_sessions(engine, KEYRING)
    app.state.poster = make_poster(app.state.sessions)
    yield
    await app.state.poster.close()
    app.state.engine, app.state.sessions, app.state.poster = was
    await engine.dispose()


async def until(connection: asyncpg.Connection, question: str) -> None:
    """Wait until the database says yes, ten seconds at most."""
    for _ in range(2000):
        if await connection.fetchval(question):
            return
        await asyncio.sleep(0.005)
    pytest.fail(f"never: {question}")


@pytest.mark.usefixtures("four_connections")
async def test_two_thousand_lines_of_twenty_shops_at_once_with_four_connections(app, town, more_shops):
    """Whoever waited at the door with a connection in hand would keep the poster itself from getting one."""
    shops = await more_shops(20)
    batches = [{"lines": [line(number) for number in range(100)]} for _ in shops]
    began = time.monotonic()

    async with client_of(app, town.cookies["wu"], town.actors["wu"]) as wu:
        first = await asyncio.gather(
            *(wu.post(sent(shop), json=batch, timeout=60) for shop, batch in zip(shops, batches, strict=True))
        )
        took = time.monotonic() - began
        again = await asyncio.gather(*(wu.post(sent(shop), json=batches[0], timeout=60) for shop in shops))

    print(f"2000 lines of 20 shops: {took:.2f} s")  # noqa: T201 (a figure for whoever runs it with -s)
    assert [answer.json().get("given") for answer in first] == [100] * 20
    assert [answer.json().get("again") for answer in again] == [100] * 20
    assert await owed(app, *shops) == [100] * 20
    ((lines, journals, transactions),) = await rows(
        app,
        "SELECT count(*), count(DISTINCT journal_id), count(DISTINCT xmin::text) FROM fund_sale",
    )
    assert (lines, journals) == (2000, 2000)
    assert transactions < 200  # they share few transactions; alone, each would have one of its own
    async with app.state.sessions() as session:
        assert await ledger.balance(session, HERE, chart.PROMISED, chart.FEN) == 2000
        assert list(await ledger.verify(session, HERE)) == []


async def test_the_same_batch_twice_at_once_counts_once(app, zhou, wu, bakery):
    batch = {"lines": [line(number) for number in range(200)]}

    answers = await asyncio.gather(
        *(client.post(sent(bakery), json=batch, timeout=60) for client in (zhou, wu, zhou, wu))
    )

    told = [answer.json() for answer in answers]
    assert sum(each["given"] for each in told) == 200
    assert all(each["given"] + each["again"] == 200 for each in told)
    assert await owed(app, bakery) == [2000]
    assert await rows(app, "SELECT count(*), sum(gift_fen)::bigint FROM fund_sale") == [(200, 2000)]


async def test_of_two_contents_under_one_number_at_once_one_is_kept_and_the_other_hears_so(app, zhou, wu, bakery):
    """Both give ten fen, so the ledger alone would take the second for a repetition of the first."""
    numbers = range(60)

    answers = await asyncio.gather(
        zhou.post(sent(bakery), json={"lines": [line(number, 100) for number in numbers]}),
        wu.post(sent(bakery), json={"lines": [line(number, 200) for number in numbers]}),
    )

    ours, theirs = (answer.json() for answer in answers)
    kept = dict(await rows(app, "SELECT number, amount_fen FROM fund_sale"))
    for mine, other in zip(ours["lines"], theirs["lines"], strict=True):
        assert (mine["outcome"], other["outcome"], kept[mine["number"]]) in (
            ("given", "refused", 100),
            ("refused", "given", 200),
        )
        assert {mine["code"], other["code"]} == {None, "fund.number_reused"}
    assert await owed(app, bakery) == [600]


async def test_connections_that_are_cut_under_a_batch_lose_no_line_and_double_none(app, zhou, bakery, town_database):
    batches = [{"lines": [line(f"{part} {number}") for number in range(500)]} for part in range(4)]
    superuser = await asyncpg.connect(town_database.superuser_url)

    async def cut() -> int:
        """Cut whoever is posting, again and again: before the commit, or between the commit and its answer."""
        cuts = 0
        while cuts < 6:
            await asyncio.sleep(0.01)
            cuts += await superuser.fetchval(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                " WHERE datname = current_database() AND usename = 'linli_app' AND query LIKE '%post_with%'"
            )
        return cuts

    cutting = asyncio.create_task(cut())
    answers = await asyncio.gather(*(zhou.post(sent(bakery), json=batch, timeout=60) for batch in batches))
    cutting.cancel()
    kept = {number for (number,) in await superuser.fetch("SELECT number FROM fund_sale")}
    await superuser.close()

    assert cutting.done()  # six were cut while the lines were under way
    for answer in answers:
        assert answer.status_code in (200, 503)
        if answer.status_code == 200:
            for each in answer.json()["lines"]:
                assert each["outcome"] in ("given", "again", "unsure")
                assert each["outcome"] == "unsure" or each["number"] in kept
    repeated = [(await zhou.post(sent(bakery), json=batch, timeout=60)).json() for batch in batches]
    assert all(each["given"] + each["again"] == 500 for each in repeated)
    assert await owed(app, bakery) == [20_000]
    assert await rows(app, "SELECT count(*), sum(gift_fen)::bigint FROM fund_sale") == [(2000, 20_000)]


async def test_a_batch_that_broke_off_half_way_is_sent_again_and_completes(app, zhou, bakery, town_database):
    """The till hung up: what was under way is posted or not, and nobody was told."""
    batch = {"lines": [line(number) for number in range(1000)]}
    superuser = await asyncpg.connect(town_database.superuser_url)
    hung_up = asyncio.create_task(zhou.post(sent(bakery), json=batch, timeout=60))
    await until(superuser, "SELECT count(*) > 0 FROM fund_sale")
    hung_up.cancel()
    await asyncio.gather(hung_up, return_exceptions=True)
    await until(
        superuser,
        "SELECT count(*) = 0 FROM pg_stat_activity"
        " WHERE datname = current_database() AND usename = 'linli_app' AND state = 'active'",
    )
    before = await superuser.fetchval("SELECT count(*) FROM fund_sale")
    await superuser.close()

    answer = (await zhou.post(sent(bakery), json=batch, timeout=60)).json()

    # What the door had taken already may be posted after the count: what stands is never given a second time.
    assert 0 < before <= answer["again"] < 1000
    assert answer["given"] + answer["again"] == 1000
    assert await owed(app, bakery) == [10_000]


async def test_two_correct_the_same_line_at_once_and_it_is_taken_back_once(app, zhou, wu, bakery):
    await zhou.post(sent(bakery), json={"lines": [line(1)]})
    back = f"/api/fund/shops/{bakery}/corrections"

    answers = await asyncio.gather(
        zhou.post(back, json={"number": "1", "reason": "多打了一笔"}),
        wu.post(back, json={"number": "1", "reason": "店里来电"}),
        zhou.post(back, json={"number": "1", "reason": "多打了一笔"}),
    )

    codes = sorted(answer.status_code for answer in answers)
    assert codes in ([204, 204, 409], [204, 409, 409])
    assert await owed(app, bakery) == [0]
