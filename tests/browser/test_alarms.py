"""The queue of odd uses, the calls, a shop's hours: accessible, narrow enough, in one language."""

import asyncpg
import pytest

from tests.browser.conftest import Visitor, shot
from tests.browser.judge import axe, foreign, sideways, small
from tests.browser.seen import texts_of_people
from tests.browser.test_pages import WAYS
from tests.db import Database, in_thread

pytestmark = [pytest.mark.browser, pytest.mark.slow]


ODD = """
INSERT INTO redemption.alarm (community_id, voucher_id, use_seq, rule, merchant_id, state, seen, allowed, raised_at)
SELECT u.community_id, u.voucher_id, u.seq, r.rule, u.merchant_id, 'OPEN', r.seen, r.allowed, now()
  FROM redemption.use u
 CROSS JOIN (VALUES ('too_fast', 3, 5), ('outside_hours', 400, 15), ('typed_much', 6000, 5000)) AS r (rule, seen, allowed)
 WHERE u.state = 'ACCEPTED';
INSERT INTO call_draw (community_id, used_on, seed, uses, drawn, drawn_at)
SELECT DISTINCT community_id, DATE '2026-01-01', gen_random_uuid(), 100, 1, now() FROM redemption.use;
INSERT INTO use_call (community_id, voucher_id, use_seq, used_on, member_id, merchant_id, clerk_id, title, received_at,
                      state, note)
SELECT u.community_id, u.voucher_id, u.seq, DATE '2026-01-01', v.member_id, u.merchant_id, u.clerk_id, o.title,
       u.received_at, 'waiting', ''
  FROM redemption.use u
  JOIN redemption.voucher v USING (community_id, voucher_id)
  JOIN redemption.offer o USING (community_id, offer_id);
INSERT INTO redemption.opening (community_id, merchant_id, effective_from, weekday, opens, closes, set_by, set_at)
SELECT m.community_id, m.merchant_id, '2026-01-01', d, 480, 1200, gen_random_uuid(), now()
  FROM redemption.merchant m CROSS JOIN generate_series(1, 6) d;
"""


async def lay(database: Database) -> None:
    """Something to look at, under three rules, someone to call, and hours."""
    superuser = await asyncpg.connect(database.superuser_url)
    await superuser.execute(ODD)
    await superuser.close()


def test_the_pages_of_the_watch(visit: Visitor) -> None:
    in_thread(lay(visit.live.database))
    known, wrong = texts_of_people(visit.live.database), []
    for way, options in WAYS.items():
        for who, paths in (
            ("qian", ("/desk/alarms", "/desk/alarms?decided=true", "/desk/alarms/calls", "/desk/alarms/hours")),
            ("zhou", ("/shop/hours",)),
        ):
            page = visit.page(who, **options)
            for path in paths:
                url = f"{visit.live.origin}{path}"
                page.goto(url)
                if way in ("phone", "desk", "desk-en"):
                    shot(page, f"alarms-{path.strip('/').replace('/', '-').replace('?', '-')}-{way}")
                found = axe(page) + sideways(page) + foreign(page, known)
                if "elder" in way:
                    found += small(page)
                wrong += [f"{url} {who} [{way}]: {item}" for item in found]
    assert wrong == []
