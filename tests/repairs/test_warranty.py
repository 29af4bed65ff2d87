"""The fifth that is kept back: released one by one, by a team that left too, and what becomes of one that went back."""

from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa

import redemption
from service.repairs import actions
from tests.cast import ELSEWHERE, HERE
from tests.repairs.test_jobs import clean, half_price, owed


async def put_aside(jobs, zheng, classify, many=1):
    """So many accepted orders with a fifth that waits."""
    await half_price(zheng, jobs)
    await classify()
    paths = []
    for _ in range(many):
        paths.append(await jobs.done())
        await jobs.accepted(paths[-1])
    return paths


async def released(app, clock):
    async with app.state.sessions.begin() as session:
        return await actions.release_warranties(session, clock.now)


async def held(jobs, path):
    return int((await jobs.look(path))["repair"]["voucher_id"])


async def warranty(jobs, path):
    return (await jobs.look(path))["repair"]["warranty"]


ONE_ELSEWHERE = """
INSERT INTO repair_order (community_id, order_id, state, revision, text, is_urgent, asked_by, posted_by, posted_at, changed_at,
    percent, cash_fen, payable_fen, voucher_id, minutes, accepted_at, warranty, warranty_until)
SELECT community_id, gen_random_uuid(), 'accepted', 1, '灯', false, member_id, member_id, :now, :now,
       0, 0, 5, 7, 0, :now, 'held', :now
  FROM member WHERE community_id = :there LIMIT 1
"""


async def test_one_of_another_community_keeps_nobody_waiting(app, clock, jobs, zheng, classify):
    (path,) = await put_aside(jobs, zheng, classify)
    async with app.state.sessions.begin() as session:
        # Its voucher is not there. Of the two communities its is the first.
        await session.execute(sa.text(ONE_ELSEWHERE), {"now": clock.now, "there": ELSEWHERE})
    clock.move(days=7)

    assert [await released(app, clock) for _ in range(3)] == [1, 1, 0]

    assert await warranty(jobs, path) == "released"
    await clean(app)


async def test_one_that_cannot_be_released_waits_alone(app, clock, jobs, zheng, classify):
    frozen, other = await put_aside(jobs, zheng, classify, many=2)
    given = {"key": uuid4(), "reason": "有疑问", "actor_id": jobs.clients["zheng"].actor.member_id}
    async with app.state.sessions.begin() as session:
        await redemption.freeze(session, HERE, await held(jobs, frozen), **given, now=clock.now)
    clock.move(days=7, minutes=40)

    assert await released(app, clock) == 2

    assert (await warranty(jobs, frozen), await warranty(jobs, other)) == ("held", "released")
    assert await owed(app, jobs) == 1800
    # It is out of the way for a day, so that the work of another community is not behind it.
    assert await released(app, clock) == 0
    inbox = (await jobs.look("/api/inbox", "wu"))["items"]
    assert [(row["kind"], row["url"]) for row in inbox if "repair" in row["kind"]] == [
        ("repair_not_released", frozen.replace("/api", "/desk"))
    ]
    page = await jobs.clients["wu"].get(frozen.replace("/api", "/desk"), headers={"accept": "text/html"})
    assert "没能付给队伍" in page.text
    clock.move(days=1)
    assert await released(app, clock) == 1
    assert await warranty(jobs, frozen) == "held"
    async with app.state.sessions.begin() as session:
        await redemption.unfreeze(session, HERE, await held(jobs, frozen), **given | {"key": uuid4()}, now=clock.now)
    clock.move(days=1)

    assert await released(app, clock) == 1

    assert await warranty(jobs, frozen) == "released"
    assert await owed(app, jobs) == 2000
    inbox = (await jobs.look("/api/inbox", "wu"))["items"]
    assert not any("repair" in row["kind"] for row in inbox)
    await clean(app)


async def test_a_fifth_whose_voucher_was_given_up_went_back(app, clock, jobs, zheng, classify):
    (path,) = await put_aside(jobs, zheng, classify)
    wu, zheng_id = (jobs.clients[who].actor.member_id for who in ("wu", "zheng"))
    async with app.state.sessions.begin() as session:
        await redemption.unlock_voucher(
            session, HERE, await held(jobs, path), key=uuid4(), reason="有疑问", actor_id=wu, now=clock.now
        )
        await redemption.cancel_voucher(
            session, HERE, await held(jobs, path), key=uuid4(), reason="不要了", actor_id=zheng_id, now=clock.now
        )
    clock.move(days=7, minutes=40)
    assert await released(app, clock) == 1
    assert await warranty(jobs, path) == "returned"
    assert await owed(app, jobs) == 800
    await clean(app)


async def test_a_fifth_that_was_let_go_is_released_all_the_same(app, clock, jobs, zheng, classify):
    (path,) = await put_aside(jobs, zheng, classify)
    wu = jobs.clients["wu"].actor.member_id
    async with app.state.sessions.begin() as session:
        await redemption.unlock_voucher(
            session, HERE, await held(jobs, path), key=uuid4(), reason="错了", actor_id=wu, now=clock.now
        )
    clock.move(days=7, minutes=40)
    assert await released(app, clock) == 1
    assert await warranty(jobs, path) == "released"
    assert await owed(app, jobs) == 1000
    await clean(app)


@pytest.mark.parametrize(("is_upheld", "after"), [(True, "given_back"), (False, "returned")])
async def test_a_claim_older_than_the_longest_lock_is_decided(app, clock, jobs, zheng, classify, is_upheld, after):
    (path,) = await put_aside(jobs, zheng, classify)
    voucher_id = await held(jobs, path)
    await jobs.post("granny", f"{path}/warranty-claim", {"reason": "又漏了"})
    clock.move(days=90)
    async with app.state.sessions.begin() as session:
        assert (await redemption.unlock_due(session, HERE, now=clock.now)).found == 1
        assert (await redemption.voucher(session, HERE, voucher_id)).state is redemption.VoucherState.EXPIRED

    async with app.state.sessions.begin() as session:
        order = await actions.decide_claim(
            session,
            actor=zheng.actor,
            order_id=UUID(path.split("/")[-1]),
            is_upheld=is_upheld,
            reason="看过了",
            now=clock.now,
        )

    assert order.warranty == after
    assert await owed(app, jobs) == 800
    await clean(app)


async def test_a_team_that_left_is_paid_for_what_it_began(app, clock, jobs, zheng, classify):
    await half_price(zheng, jobs)
    await classify()
    kept = await jobs.done()
    await jobs.accepted(kept)
    begun = await jobs.done()
    departure_id = uuid4()
    wu, second = (jobs.clients[who].actor.member_id for who in ("wu", "zheng"))
    async with app.state.sessions.begin() as session:
        await redemption.propose_departure(
            session,
            HERE,
            departure_id=departure_id,
            merchant_id=jobs.team,
            successor_id=None,
            leaves_at=clock.now,
            reason="不做了",
            actor_id=wu,
            now=clock.now,
        )
        await redemption.decide_departure(
            session, HERE, departure_id, key=uuid4(), is_agreed=True, actor_id=second, now=clock.now
        )
        await redemption.carry_departure(session, HERE, departure_id, now=clock.now, limit=100)

    await jobs.accepted(begun)

    assert await owed(app, jobs) == 1600
    clock.move(days=7)
    assert await released(app, clock) == 2
    assert await owed(app, jobs) == 2000
    await clean(app)
