"""Every step down and up again, with rows in every table: what stays behind is untouched."""

from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from uuid import uuid4

import asyncpg
import pytest

import redemption
from migrations import runner
from service import identity
from service.demo import load_demo
from service.demo.cast import HERE
from service.identity.actions_sign_in import count_try
from service.kit.db import make_engine, make_sessions
from tests.architecture.sources import ROOT
from tests.cast import KEYRING, START
from tests.db import Database, Steward, in_thread

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

COLUMNS = """
SELECT format('%I.%I', n.nspname, c.relname), a.attname
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
 WHERE c.relkind IN ('r', 'p', 'v') AND NOT c.relispartition
   AND n.nspname IN ('public', 'ledger', 'redemption', 'jobs') AND c.relname <> 'alembic_version'
 ORDER BY 1, a.attnum
"""
# What neither the demo nor the actions below leave rows in, because only a request, a scan or the queue does.
BY_HAND = """
INSERT INTO ledger.tree (community_id, size, edge, patrolled) SELECT community_id, 0, '', 0 FROM ledger.book
 ON CONFLICT DO NOTHING;
INSERT INTO ledger.tile SELECT community_id, 8, 0, sha256('') FROM ledger.tree ON CONFLICT DO NOTHING;
INSERT INTO ledger.seal SELECT community_id, 1, 1, sha256(''), '', sha256(''), now(), '', sha256(''), sha256('') || sha256(''),
 '{}' FROM ledger.tree ON CONFLICT DO NOTHING;
INSERT INTO book_alarm (community_id, alarm_id, kind, place, detail, raised_at)
SELECT community_id, gen_random_uuid(), 'tile', 'tree', '', now() FROM community LIMIT 1;
INSERT INTO answered (community_id, member_id, key, fingerprint, status, body, at)
SELECT community_id, member_id, 'once', '\\x00', 204, '{"content": null}', now() FROM member LIMIT 1;
INSERT INTO scan_refusal (community_id, device_id, nonce, member_id, asked, code, answer, is_invalid, refused_at)
SELECT community_id, gen_random_uuid(), gen_random_uuid(), member_id, '\\x00', 'unknown', '{}', true, now() FROM member LIMIT 1;
INSERT INTO debt_notice (community_id, notice_id, member_id, told_at, due_at, hundredths, collected)
SELECT community_id, gen_random_uuid(), member_id, now(), now() + interval '7 days', 500, 100 FROM member LIMIT 1;
INSERT INTO debt_collection (community_id, collection_id, notice_id, hundredths, journal_id, collected_at)
SELECT community_id, gen_random_uuid(), notice_id, 100, 1, now() FROM debt_notice LIMIT 1;
INSERT INTO static_use
SELECT community_id, gen_random_uuid(), gen_random_uuid(), member_id, now(), 1500, false, true FROM member LIMIT 1;
INSERT INTO static_lock SELECT community_id, gen_random_uuid(), 1, member_id, false, now() FROM member LIMIT 1;
INSERT INTO voucher_reminder (community_id, voucher_id, days_before, reminded_at)
SELECT community_id, voucher_id, 1, now() FROM redemption.voucher LIMIT 1;
INSERT INTO redemption.voucher_request (community_id, request_id, voucher_id, step, state, reason, proposed_by, proposed_at)
SELECT community_id, gen_random_uuid(), voucher_id, 'void', 'proposed', 'typo', member_id, now() FROM redemption.voucher LIMIT 1;
INSERT INTO redemption.change_order
SELECT community_id, gen_random_uuid(), voucher_id, gen_random_uuid(), true, 1, 0, 0, 0, 2, 0, 0, 0, NULL, 'a part',
       member_id, NULL, now()
  FROM redemption.voucher LIMIT 1;
INSERT INTO redemption.change_answer SELECT community_id, change_id, false, proposed_by, NULL, now() FROM redemption.change_order
 ON CONFLICT DO NOTHING;
INSERT INTO household_class
SELECT h.community_id, gen_random_uuid(), h.household_id, '\\x00', '\\x00', true, 'proposed', m.member_id, now(),
       NULL, NULL, NULL, NULL, NULL, NULL FROM household h JOIN member m USING (community_id) LIMIT 1;
INSERT INTO entitlement
SELECT community_id, gen_random_uuid(), 'lonely', NULL, NULL, 'meal', '2030-01-01', NULL, member_id, now(), NULL
  FROM member LIMIT 1;
INSERT INTO member_card (community_id, member_id, handle, card_seq, tries, printed_by, printed_at)
SELECT community_id, member_id, 1, 1, 0, member_id, now() FROM member LIMIT 1;
INSERT INTO second_factor (community_id, factor_id, member_id, secret_sealed, started_at, last_step, wrong_codes)
SELECT community_id, gen_random_uuid(), member_id, '\\x00', now(), 0, 0 FROM member LIMIT 1;
INSERT INTO recovery_code (community_id, factor_id, number, code_hash, made_at)
SELECT community_id, factor_id, 0, 'x', now() FROM second_factor;
INSERT INTO session_proof (community_id, session_id, factor_id, proven_at, wrong_codes)
SELECT s.community_id, s.session_id, f.factor_id, now(), 0 FROM second_factor f JOIN session s USING (community_id) LIMIT 1;
INSERT INTO factor_removal (community_id, removal_id, factor_id, member_id, reason, state, proposed_by, proposed_at)
SELECT f.community_id, gen_random_uuid(), f.factor_id, f.member_id, 'lost', 'proposed', m.member_id, now()
  FROM second_factor f JOIN member m ON m.community_id = f.community_id AND m.member_id <> f.member_id LIMIT 1;
INSERT INTO desk_use (community_id, desk_use_id, voucher_id, member_id, shop_id, quantity, way, state, reason,
                      proposed_by, proposed_at)
SELECT m.community_id, gen_random_uuid(), 1, m.member_id, o.member_id, 1, 'second', 'proposed', '没有手机', o.member_id, now()
  FROM member m JOIN member o ON o.community_id = m.community_id AND o.member_id <> m.member_id LIMIT 1;
INSERT INTO redemption.paper_batch (community_id, batch_id, papers, key_number, printed_by, printed_at)
SELECT community_id, gen_random_uuid(), 1, 1, member_id, now() FROM member LIMIT 1;
INSERT INTO redemption.paper (community_id, batch_id, number, voucher_id, code_seq)
SELECT v.community_id, b.batch_id, 1, v.voucher_id, 1 FROM redemption.voucher v
  JOIN redemption.paper_batch b ON b.community_id = v.community_id LIMIT 1;
INSERT INTO redemption.alarm (community_id, voucher_id, use_seq, rule, merchant_id, state, seen, allowed, raised_at,
                              decided_by, decided_at, reason)
SELECT community_id, voucher_id, seq, 'too_fast', merchant_id, 'CLEARED', 1, 5, now(), clerk_id, now(), 'seen'
  FROM redemption.use LIMIT 1;
INSERT INTO redemption.opening (community_id, merchant_id, effective_from, weekday, opens, closes, set_by, set_at)
SELECT community_id, merchant_id, '2030-01-01', 1, 480, 1200, gen_random_uuid(), now() FROM redemption.merchant LIMIT 1;
INSERT INTO call_draw (community_id, used_on, seed, uses, drawn, drawn_at)
SELECT community_id, '2000-01-01', gen_random_uuid(), 1, 1, now() FROM community LIMIT 1;
INSERT INTO use_call (community_id, voucher_id, use_seq, used_on, member_id, merchant_id, clerk_id, title, received_at,
                      state, note)
SELECT d.community_id, 1, 1, d.used_on, m.member_id, m.member_id, m.member_id, 'x', now(), 'waiting', ''
  FROM call_draw d JOIN member m ON m.community_id = d.community_id LIMIT 1;
INSERT INTO redemption.device (community_id, device_id, kind, merchant_id, public_key, label, registered_at)
SELECT community_id, gen_random_uuid(), 'enrolled', merchant_id, sha256(''), 'till', now() FROM redemption.merchant LIMIT 1;
INSERT INTO redemption.device_ticket (community_id, ticket, merchant_id, made_by, made_at, ends_at)
SELECT community_id, sha256(''), merchant_id, merchant_id, now(), now() + interval '15 minutes' FROM redemption.merchant LIMIT 1;
INSERT INTO redemption.lease (community_id, lease_id, merchant_id, device_id, state, granted_at, renewed_at, ends_at)
SELECT community_id, gen_random_uuid(), merchant_id, device_id, 'out', now(), now(), now() + interval '1 hour'
  FROM redemption.device WHERE kind = 'enrolled' LIMIT 1;
INSERT INTO redemption.lease_offer
SELECT l.community_id, o.offer_id, l.lease_id FROM redemption.lease l JOIN redemption.offer o USING (community_id) LIMIT 1;
INSERT INTO redemption.lease_cover
SELECT l.community_id, l.lease_id, o.offer_id, l.granted_at
  FROM redemption.lease l JOIN redemption.offer o USING (community_id) LIMIT 1;
INSERT INTO redemption.offline_record (community_id, device_id, nonce, seq, hash, text, quantity, merchant_id, scanned_at,
                                       claimed_at, received_at, flags, verdict, reason, value_fen)
SELECT community_id, device_id, gen_random_uuid(), 1, sha256(''), '{}', 1, merchant_id, now(), now(), now(), '{}', 'review',
       'unknown', 0
  FROM redemption.lease LIMIT 1;
INSERT INTO redemption.offline_review (community_id, device_id, nonce, merchant_id, state, opened_at, due_at)
SELECT community_id, device_id, nonce, merchant_id, 'open', now(), now() FROM redemption.offline_record LIMIT 1;
INSERT INTO redemption.strike SELECT community_id, device_id, nonce, merchant_id, now() FROM redemption.offline_record LIMIT 1;
INSERT INTO redemption.device_floor SELECT community_id, device_id, now(), 20, 30000, 3000 FROM redemption.lease LIMIT 1;
INSERT INTO redemption.loss_month SELECT community_id, '2026-01-01', 0, 1, NULL FROM redemption.offline_record LIMIT 1;
INSERT INTO redemption.bank_file (community_id, file_id, number, line_count, fen, made_by, made_at,
                                  voided_by, voided_at, void_reason)
SELECT community_id, gen_random_uuid(), 1, 1, 5, settlement_id, now(), settlement_id, now(), 'lost'
  FROM redemption.settlement LIMIT 1;
INSERT INTO redemption.payee (community_id, payee_id, merchant_id, state, holder, bank, tail, sealed, reason,
                              proposed_by, proposed_at)
SELECT community_id, gen_random_uuid(), merchant_id, 'PROPOSED', 'x', 'x', '1234', '', 'x', merchant_id, now()
  FROM redemption.settlement LIMIT 1 ON CONFLICT DO NOTHING;
INSERT INTO redemption.bank_file_line (community_id, file_id, line_no, settlement_id, payee_id, fen, is_live)
SELECT f.community_id, f.file_id, 1, f.made_by, p.payee_id, 5, false
  FROM redemption.bank_file f JOIN redemption.payee p ON p.community_id = f.community_id LIMIT 1;
INSERT INTO bank_columns SELECT community_id, '{"附言": "摘要"}', 1, member_id, now() FROM member LIMIT 1;
INSERT INTO bank_list (community_id, list_id, state, file_name, line_count, uploaded_by, uploaded_at)
SELECT community_id, gen_random_uuid(), 'checked', 'x.csv', 1, member_id, now() FROM member LIMIT 1;
INSERT INTO bank_line (community_id, list_id, line_no, fingerprint, direction, fen, reference, tail, verdict, reason, sealed)
SELECT community_id, list_id, 2, sha256(''), 'paid', 1, '', '', 'unknown', '', '' FROM bank_list;
INSERT INTO redemption.departure (community_id, departure_id, merchant_id, leaves_at, state, reason, proposed_by, proposed_at,
                                  ended_by, ended_at)
SELECT community_id, gen_random_uuid(), merchant_id, now(), 'WITHDRAWN', 'x', merchant_id, now(), merchant_id, now()
  FROM redemption.merchant LIMIT 1;
INSERT INTO redemption.departure_offer
SELECT d.community_id, d.departure_id, o.offer_id, true
  FROM redemption.departure d JOIN redemption.offer o USING (community_id) LIMIT 1;
INSERT INTO redemption.departure_voucher
SELECT d.community_id, d.departure_id, v.voucher_id, 1, 0, now()
  FROM redemption.departure d JOIN redemption.voucher v USING (community_id) LIMIT 1;
INSERT INTO redemption.adjustment (community_id, adjustment_id, settlement_id, line_no, voucher_id, use_seq, merchant_id, cause,
                                   state, reason, proposed_by, proposed_at)
SELECT l.community_id, gen_random_uuid(), l.settlement_id, l.line_no, l.voucher_id, l.use_seq, s.merchant_id, 'warranty',
       'proposed', 'x', s.merchant_id, now()
  FROM redemption.settlement_line l JOIN redemption.settlement s USING (community_id, settlement_id) LIMIT 1;
INSERT INTO repair_photo
SELECT community_id, gen_random_uuid(), order_id, 'before', asked_by, now(), 1, 1, sha256(''), '\\x00' FROM repair_order LIMIT 1;
INSERT INTO message (community_id, message_id, member_id, fact, fact_key, numbers, url, sent_at)
SELECT community_id, gen_random_uuid(), member_id, 'WishPosted', '\\x00', '{}', '/', now() FROM member LIMIT 1;
INSERT INTO ledger.marked (community_id, seq) SELECT community_id, 0 FROM ledger.book LIMIT 1;
INSERT INTO ledger.mark (community_id, account_id, seq) SELECT community_id, account_id, 1 FROM ledger.account LIMIT 1;
INSERT INTO ledger.period SELECT community_id, '2000-01-01Z', seq, gen_random_uuid(), at FROM ledger.book LIMIT 1;
INSERT INTO ledger.debt_allowance
SELECT community_id, account_id, 1, 'typo', 5, 1, gen_random_uuid(), opened_at FROM ledger.account LIMIT 1;
INSERT INTO ledger.zone SELECT community_id, 0, opened_at, at FROM ledger.book LIMIT 1;
INSERT INTO ledger.zone_word SELECT community_id, 'reason:service', 0, 1, 2 FROM ledger.book LIMIT 1;
INSERT INTO ledger.zoned SELECT community_id, 0 FROM ledger.book LIMIT 1;
INSERT INTO setting_change (community_id, change_id, name, value, effective_from, reason, needs_second, state, proposed_by,
                            proposed_at, decided_by, decided_at, undone_by, undone_at)
SELECT community_id, gen_random_uuid(), 'wish_open_days', 30, '2030-01-01', '试一试', false, 'undone', member_id, now(),
       member_id, now(), member_id, now() FROM member LIMIT 1;
INSERT INTO audit_sample
SELECT community_id, gen_random_uuid(), repeat('a', 32), '2026-01-01', '2026-01-31', 1, 9, 1, 'none', 1,
       member_id, now() FROM member LIMIT 1;
INSERT INTO audit_sample_item SELECT community_id, sample_id, 1, 1, '' FROM audit_sample;
INSERT INTO audit_finding
SELECT s.community_id, gen_random_uuid(), s.sample_id, 1, 'ok', '', s.drawn_by, now() FROM audit_sample s;
INSERT INTO points_reminder SELECT community_id, member_id, now(), now() FROM member LIMIT 1;
INSERT INTO ledger.hold_lot SELECT community_id, hold_id, '2030-01-01Z', 1, 1, 0, 1 FROM ledger.hold LIMIT 1;
INSERT INTO ledger.lot_grace SELECT community_id, '2030-01-01T00:00:00.000001Z', 1 FROM ledger.book LIMIT 1;
INSERT INTO ledger.hold_expiry SELECT community_id, '2030-01-01Z', hold_id FROM ledger.hold LIMIT 1;
INSERT INTO period_closing
SELECT m.community_id, gen_random_uuid(), '2025-12-31', 2025, 'closed', m.member_id, now(), o.member_id, now()
  FROM member m JOIN member o ON o.community_id = m.community_id AND o.member_id <> m.member_id LIMIT 1;
INSERT INTO year_close SELECT community_id, year, closing_id, proposed_by, decided_by, now(), now(), 1, 1 FROM period_closing;
INSERT INTO year_total SELECT community_id, year, 'point', 'member', 1, 1, 2, 3, 0 FROM year_close;
INSERT INTO year_movement SELECT community_id, year, 'point', 'member', 'service', 1, 2, 3 FROM year_close;
INSERT INTO year_line SELECT community_id, year, 'point', 'member:1', '1', 1, 2, 3, 0 FROM year_close;
INSERT INTO opening_batch
SELECT community_id, gen_random_uuid(), 'checked', 'x.csv', '{}', '2025-12-31', 1, 0, 0, 0, 1, 2, 3, 0, 0, 0, 0, member_id, now()
  FROM member LIMIT 1;
INSERT INTO opening_row SELECT community_id, opening_id, 2, 'new', uploaded_by, 1, 2, 3, 'old book', false FROM opening_batch;
INSERT INTO debt_request
SELECT community_id, gen_random_uuid(), 'allow', 'proposed', member_id, 100, 'spent', NULL, member_id, now()
  FROM member LIMIT 1;
INSERT INTO exchange_listing
SELECT community_id, gen_random_uuid(), 'offer', 'other', 'x', '', 30, member_id, 'open', now(), now(), now() FROM member LIMIT 1;
INSERT INTO exchange (community_id, exchange_id, listing_id, payer_id, helper_id, minutes, note, state, revision, asked_at,
                      changed_at, due_at)
SELECT l.community_id, gen_random_uuid(), l.listing_id, m.member_id, l.owner_id, 30, '', 'asked', 1, now(), now(), now()
  FROM exchange_listing l JOIN member m ON m.community_id = l.community_id AND m.member_id <> l.owner_id LIMIT 1;
INSERT INTO exchange_event SELECT community_id, exchange_id, 1, 'ask', 'asked', now(), NULL, '' FROM exchange
    ON CONFLICT DO NOTHING;
INSERT INTO exchange_gift SELECT community_id, gen_random_uuid(), payer_id, helper_id, 5, '', now() FROM exchange LIMIT 1;
INSERT INTO redemption.rhythm
SELECT community_id, merchant_id, '2026-01-01', 'daily', merchant_id, now() FROM redemption.merchant LIMIT 1;
INSERT INTO redemption.payment (community_id, settlement_id, number, points, fen, bank_reference, paid_by, paid_at)
SELECT community_id, settlement_id, 1, 0, 0, 'B-1', closed_by, now() FROM redemption.settlement LIMIT 1;
INSERT INTO redemption.invoice (community_id, invoice_id, settlement_id, invoice_no, fen, noted_by, noted_at)
SELECT community_id, gen_random_uuid(), settlement_id, '12345678', 1, closed_by, now() FROM redemption.settlement LIMIT 1;
INSERT INTO jobs.pgqueuer (priority, status, entrypoint) VALUES (0, 'queued', 'fact');
INSERT INTO jobs.pgqueuer_log (job_id, status, priority, entrypoint) VALUES (1, 'queued', 0, 'fact');
INSERT INTO jobs.pgqueuer_statistics (count, priority, status, entrypoint) VALUES (1, 0, 'successful', 'fact');
INSERT INTO jobs.pgqueuer_schedules (expression, entrypoint) VALUES ('* * * * *', 'fact');
"""


async def fill(database: Database) -> None:
    """A season in a street, somebody who signs in and somebody who may, a batch with a line in dispute."""
    engine = make_engine(database.app_url)
    sessions = make_sessions(engine, KEYRING)
    await load_demo(sessions, KEYRING, START, lambda _: None)
    async with sessions.begin() as session:
        member = (await identity.members_by_card(session, HERE, ["0012-0001"]))["0012-0001"].member_id
        await identity.enter(session, HERE, member, device="test", is_shared=False, now=START)
        await identity.issue_activations(session, community_id=HERE, actor=None, member_ids=[member], now=START)
        await count_try(session, [(b"somebody", 5)], START)
    async with sessions.begin() as session:
        until = START + timedelta(minutes=1)
        merchant = next(iter(await redemption.open_batches(session, HERE, received_until=until)))
        batch = await redemption.close_settlement(
            session, HERE, settlement_id=uuid4(), merchant_id=merchant, received_until=until, actor_id=member, now=until
        )
        key = uuid4()
        await redemption.dispute_line(
            session, HERE, batch.settlement_id, 1, key=key, reason="多扫了一次", actor_id=member, now=until
        )
    await engine.dispose()
    superuser = await asyncpg.connect(database.superuser_url)
    await superuser.execute(BY_HAND)
    await superuser.close()


@pytest.fixture(scope="module")
def filled_once(steward: Steward) -> Iterator[Steward]:
    """Copies a database with rows in every table; to fill it takes longer than most tests."""
    with steward.clone() as database:
        in_thread(fill(database))
        with Steward(database.socket, database.name, f"{database.name}_filled") as cloner:
            yield cloner


@pytest.fixture
def filled_database(filled_once: Steward) -> Iterator[Database]:
    """A test's own copy of it."""
    with filled_once.clone() as database:
        yield database


@pytest.fixture
async def filled(filled_database: Database) -> AsyncIterator[asyncpg.Connection]:
    """A superuser's look at a database with rows in every table."""
    superuser = await asyncpg.connect(filled_database.superuser_url)
    yield superuser
    await superuser.close()


# A step may set value aside or let it go by postings, which come after what was there and move these along.
MOVING = {
    "ledger.book": {"seq", "at"},
    "ledger.account": {"balance", "version", "last_seq"},
    "ledger.hold": {"captured", "released"},
    # Was longer when the journal was a table.
    "ledger.journal": {"fingerprint"},
}
BEFORE = {
    "ledger.journal": "WHERE t.journal_id <= (SELECT s.journal_id FROM seen)",
    "ledger.transfer": "WHERE t.journal_id <= (SELECT s.journal_id FROM seen)",
    "ledger.hold": "WHERE t.journal_id <= (SELECT s.journal_id FROM seen)",
}
SEEN = (
    "CREATE TEMPORARY TABLE seen AS SELECT community_id, max(journal_id) AS journal_id FROM ledger.journal GROUP BY 1"
)


FREE = "SELECT redemption.let_go(v, NULL, 'freed', now()) FROM redemption.voucher v WHERE v.state = 'LOCKED'"
LOCKED = "SELECT voucher_id FROM redemption.voucher WHERE state = 'LOCKED' ORDER BY voucher_id"
PROMISED = """
SELECT count(*), count(*) FILTER (WHERE h.amount - h.captured - h.released = 100 * w.reward_points)
  FROM wish w LEFT JOIN ledger.hold h ON h.community_id = w.community_id AND h.hold_id = w.reward_hold
 WHERE w.reward_points > 0 AND w.state IN ('approved', 'claimed', 'served', 'disputed')
"""


async def contents(connection: asyncpg.Connection) -> dict[str, str]:
    """A fingerprint of all rows of each column that is there: what a step adds to a table may go with it."""
    tables: dict[str, list[str]] = {}
    for table, column in await connection.fetch(COLUMNS):
        if column not in MOVING.get(table, ()):
            tables.setdefault(table, []).append(column)
    asked = []
    for table, names in tables.items():
        sums = ", ".join(f"coalesce(sum(hashtextextended({name}::text, 0)::numeric), 0)" for name in names)
        before = BEFORE.get(table, "").replace("seen)", "seen s WHERE s.community_id = t.community_id)")
        asked.append(f"SELECT '{table}' AS name, count(*) AS n, ARRAY[{sums}] AS sums FROM {table} t {before}")
    found: dict[str, str] = {}
    for table, count, sums in await connection.fetch(" UNION ALL ".join(asked)) if asked else ():
        found |= {f"{table}.{name}": f"{count} {value}" for name, value in zip(tables[table], sums, strict=True)}
    return found


async def test_each_step_down_and_up_again_leaves_the_other_tables_as_they_were(
    filled: asyncpg.Connection, filled_database: Database
) -> None:
    steps = sorted(path.name[:4] for path in (ROOT / "migrations/versions").glob("[0-9]*.py"))
    await filled.execute(FREE)
    await filled.execute(SEEN)
    before = await contents(filled)
    assert [place for place, rows in before.items() if rows == "0 0"] == [], "a table without rows proves nothing"

    for below in reversed(["base", *steps[:-1]]):
        await runner.downgrade(filled_database.owner_url, below)
        left = await contents(filled)
        assert left.items() <= before.items(), f"taking back what came after {below}"
        if below == "base":
            assert left == {}
            break
        await runner.upgrade(filled_database.owner_url)
        again = await contents(filled)
        assert again.keys() == before.keys()
        assert left.items() <= again.items(), f"making again what came after {below}"
        if below == "0017":
            promised, held = await filled.fetchrow(PROMISED)
            assert promised == held > 0

    await runner.upgrade(filled_database.owner_url)
    assert (await contents(filled)).keys() == before.keys()


async def test_nothing_stays_locked_where_there_are_no_locks(
    filled: asyncpg.Connection, filled_database: Database
) -> None:
    """What the demo's repairers lock while they are at work is free before the step that brought locks, and after it."""
    locked = await filled.fetch(LOCKED)
    assert len(locked) > 0
    await runner.downgrade(filled_database.owner_url, "0058")
    freed = (
        "SELECT voucher_id FROM redemption.voucher WHERE voucher_id = ANY ($1) AND state = 'ISSUED' ORDER BY voucher_id"
    )
    assert await filled.fetch(freed, [voucher for (voucher,) in locked]) == locked
    await runner.upgrade(filled_database.owner_url)
    assert await filled.fetch(LOCKED) == []
