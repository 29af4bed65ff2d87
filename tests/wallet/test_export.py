"""The books as files, from the page and from the interface."""

import csv
import io
from collections.abc import Mapping

import pytest
import sqlalchemy as sa
from litestar import Litestar
from sqlmodel.ext.asyncio.session import AsyncSession

from ledger import ExportForm
from service.wallet.queries.exports import book_bytes
from tests.cast import HERE, Client, TownClock
from tests.wallet.test_passbook import credit, service_of

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("form", ["beancount", "journal", "csv"])
async def test_page_and_interface_give_the_same_file(he: Client, form: str) -> None:
    by_page = await he.get(f"/desk/books/export/{form}")
    by_api = await he.get(f"/api/books/export/{form}")

    assert by_page.status_code == by_api.status_code == 200
    assert by_page.content == by_api.content
    assert f'filename="linli-{HERE}-' in by_page.headers["content-disposition"]
    assert by_page.headers["content-disposition"].endswith(f'.{form}"')


async def test_the_table_ends_with_todays_balances(
    app: Litestar, he: Client, chen: Client, wu: Client, clock: TownClock, town_session: AsyncSession
) -> None:
    await credit(app, wu, [service_of(chen, number, clock) for number in "abc"], clock.now)
    text = (await he.get("/api/books/export/csv")).text

    stated: dict[tuple[str, str], int] = {}
    for line in csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))):
        for side in ("debit", "credit"):
            stated[line[side], line["unit"]] = int(line[f"{side}_balance"])
    assert stated
    assert stated == await _balances(town_session)


async def _balances(session: AsyncSession) -> Mapping[tuple[str, str], int]:
    rows = await session.execute(
        sa.text("SELECT code, unit, balance FROM ledger.account WHERE community_id = :here AND version > 0"),
        {"here": HERE},
    )
    return {(code, unit): balance for code, unit, balance in rows}


async def test_who_took_the_books_stands_in_the_log(he: Client) -> None:
    await he.get("/desk/books/export/csv")

    [line] = (await he.get("/api/audit?action=books.exported")).json()["items"]
    assert line["actor"]
    assert line["object_kind"] == "book"


async def test_the_page_says_how_to_check_each_file(he: Client) -> None:
    chinese, english = (
        await he.get("/desk/books/export"),
        await he.get("/desk/books/export", headers={"accept-language": "en"}),
    )

    assert "bean-check" in chinese.text
    assert chinese.text.count(" download>") == english.text.count(" download>") == 3
    assert "For hledger" in english.text


async def test_a_form_there_is_none_of_is_refused(he: Client) -> None:
    assert (await he.get("/desk/books/export/pdf")).status_code == 422


async def test_nobody_is_named_in_a_file(he: Client) -> None:
    for form in ("beancount", "journal", "csv"):
        text = (await he.get(f"/api/books/export/{form}")).text
        assert "李" not in text
        assert "陈" not in text


async def test_a_slow_reader_keeps_no_connection(
    app: Litestar, he: Client, chen: Client, wu: Client, clock: TownClock
) -> None:
    await credit(app, wu, [service_of(chen, number, clock) for number in "abc"], clock.now)
    pieces = book_bytes(app.state.sessions, HERE, ExportForm.BEANCOUNT)

    begun = await anext(pieces)
    out = app.state.engine.pool.checkedout()
    rest = [piece async for piece in pieces]

    assert out == 0
    assert b"".join([begun, *rest]) == (await he.get("/api/books/export/beancount")).content
