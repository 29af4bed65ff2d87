"""What may happen at a counter, to a member and in the office."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import ledger
import redemption
from tests.redemption.market import account, some_id
from tests.redemption.model.story import Story
from tests.redemption.model.things import member


async def take(story: Story) -> None:
    lot, market, model = story.lot, story.market, story.model
    offer, who = lot.choice(model.world.offers), lot.choice(list(story.people))
    pieces, minutes = lot.choice((1, 1, 1, 1, 1, 2, 2, 2, 3, 0)), lot.choice((None, None, None, 10))
    expected, key, issued = model.issue_refusal(offer, who, pieces), some_id(), []

    async def issue() -> None:
        terms, here = market.terms(offer_id=offer.id), story.people[who]
        async with market.sessions.begin() as session:
            answer = await redemption.issue_voucher(
                session,
                market.book,
                key=key,
                offer_id=terms.offer_id,
                member_id=who,
                owner_group=here,
                quantity=pieces,
                actor_id=who,
                grace_hours=72,
                reserved_minutes=minutes,
                now=market.now,
            )
        issued.append(answer.voucher_id)

    if await story.ask("issue", expected, issue):
        assert len(set(issued)) == 1
        model.issued(issued[0], offer, who, story.people[who], pieces, minutes, story.now)


async def earn(story: Story) -> None:
    """Somebody gets points, so that life goes on."""
    who = story.lot.choice(list(story.people))
    story.gifts += 1
    legs = (ledger.Leg("issued", account("member", who), "point", 4_000),)
    async with story.market.sessions.begin() as session:
        journal = ledger.Journal(f"earned:{story.gifts}", "opening", legs, None)
        await ledger.post(session, story.market.book, journal, now=story.now)
    story.model.world.purses[member(who)] += 4_000


async def confirm(story: Story) -> None:
    if voucher := story.voucher():
        key, expected = some_id(), story.model.confirm(voucher, story.now)
        await story.ask("confirm", expected, lambda: story.market.confirm_voucher(voucher.id, key=key))


def _scan(story: Story) -> dict[str, Any] | None:
    """One scan at a counter: a good one, mostly."""
    lot, market = story.lot, story.market
    if story.scans and lot.random() < 0.15:
        again = dict(lot.choice(story.scans))
        if lot.random() < 0.3:
            again["quantity"] += 1
        return again
    voucher = story.voucher()
    if voucher is None:
        return None
    phone = lot.choice(story.phones)
    shop = lot.choice((market.barber, market.barber, market.bakery))
    is_phone = lot.random() < 0.4
    return {
        "voucher": voucher,
        "device": phone.device_id if is_phone else market.device,
        "nonce": some_id(),
        "merchant": phone.merchant_id if is_phone and lot.random() < 0.9 else shop,
        "group": voucher.group if lot.random() < 0.04 else None,
        "code_seq": lot.choice((None, voucher.code_seq, voucher.code_seq, 1)),
        "quantity": lot.choice((1, 1, 1, 2)),
    }


async def scan(story: Story) -> None:
    asked = _scan(story)
    if asked is None:
        return
    story.scans = [*story.scans[-30:], asked]
    voucher, market = asked["voucher"], story.market
    expected = story.model.scan(
        voucher,
        asked["device"],
        str(asked["nonce"]),
        asked["merchant"],
        market.clerk,
        asked["group"],
        asked["code_seq"],
        asked["quantity"],
        story.now,
    )
    given = {name: value for name, value in asked.items() if name != "voucher"}
    await story.ask("scan", expected, lambda: market.scan(voucher.id, **given))


async def lock(story: Story) -> None:
    voucher, lot, market, model = story.voucher(), story.lot, story.market, story.model
    if voucher is None:
        return
    shop, hours, key = lot.choice((market.barber, market.bakery)), lot.choice((1, 30, 300)), some_id()
    expected, taken = model.lock_refusal(voucher, shop, market.clerk, story.now), []

    async def asked() -> None:
        taken.append(await market.lock(voucher.id, hours=hours, key=key, merchant=shop))

    if await story.ask("lock", expected, asked):
        assert len({each.token for each in taken}) == 1
        model.locked(voucher, taken[0].token, story.now + timedelta(hours=hours), story.now)


async def unlock(story: Story) -> None:
    if voucher := story.voucher():
        token, key = story.lot.choice((None, voucher.token, some_id())), some_id()
        expected = story.model.unlock(voucher, token, story.now)
        await story.ask("unlock", expected, lambda: story.market.unlock(voucher.id, token=token, key=key))


async def scan_locked(story: Story) -> None:
    voucher, lot, market = story.voucher(), story.lot, story.market
    if voucher is None:
        return
    token = voucher.token if voucher.token and lot.random() < 0.8 else some_id()
    nonce, shop, pieces = some_id(), lot.choice((market.barber, market.barber, market.bakery)), lot.choice((1, 1, 2))
    expected = story.model.scan_locked(voucher, token, market.device, str(nonce), shop, market.clerk, pieces, story.now)
    await story.ask(
        "scan_locked",
        expected,
        lambda: market.scan_locked(voucher.id, token, nonce=nonce, merchant=shop, quantity=pieces),
    )


async def cancel(story: Story) -> None:
    if voucher := story.voucher():
        pieces, key = story.lot.choice((None, None, 1, 2)), some_id()
        expected = story.model.cancel(voucher, pieces, story.now)
        await story.ask("cancel", expected, lambda: story.market.cancel(voucher.id, key=key, quantity=pieces))


async def let_time_act(story: Story) -> None:
    """The timed jobs, in the worker's order."""
    market = story.market
    unlocked, expired, ended = story.model.time_passes(story.now)
    assert (await market.unlock_due()).found == unlocked
    assert len((await market.expire()).expired) == expired
    async with market.sessions.begin() as session:
        done = await redemption.end_cancelling(session, market.book, now=story.now)
    assert len(done.expired) == ended
    story.met["time"] += 1
    story.met["cancelling ended"] += ended


async def freeze(story: Story) -> None:
    if voucher := story.voucher():
        key, expected = some_id(), story.model.freeze(voucher, story.now)
        await story.ask("freeze", expected, lambda: story.market.freeze(voucher.id, key=key))


async def unfreeze(story: Story) -> None:
    frozen = [v for v in story.model.world.vouchers.values() if v.state == "FROZEN"]
    if voucher := story.lot.choice(frozen) if frozen else story.voucher():
        expected = story.model.unfreeze(voucher, story.now)
        await story.ask("unfreeze", expected, lambda: story.market.unfreeze(voucher.id), again=False)


async def void(story: Story) -> None:
    if voucher := story.voucher():
        expected = story.model.void(voucher, story.now)
        await story.ask("void", expected, lambda: story.market.void(voucher.id), again=False)


async def extend(story: Story) -> None:
    voucher, market = story.voucher(), story.market
    if voucher is None:
        return
    until = voucher.expires_at + timedelta(days=story.lot.choice((-1, 3)))
    expected = story.model.extend(voucher, until, story.now)

    async def by_two() -> None:
        asked = await market.propose(voucher.id, redemption.StaffStep.EXTEND, until=until)
        await market.decide(asked)

    await story.ask("extend", expected, by_two, again=False)


async def renew_code(story: Story) -> None:
    voucher, market = story.voucher(), story.market
    if voucher is None:
        return
    expected = story.model.renew_code(voucher, story.now)

    async def asked() -> None:
        async with market.sessions.begin() as session:
            await redemption.renew_code(
                session, market.book, voucher.id, reason="lost", actor_id=market.staff, now=market.now
            )

    await story.ask("renew", expected, asked, again=False)


async def give(story: Story) -> None:
    if voucher := story.voucher():
        to, key = story.lot.choice(list(story.people)), some_id()
        expected = story.model.give(voucher, to, story.people[to], story.now)
        group = story.people[to]
        await story.ask("give", expected, lambda: story.market.give(voucher.id, to, key=key, owner_group=group))


async def reverse(story: Story) -> None:
    used = [
        v for v in story.model.world.vouchers.values() if v.uses and story.now < v.changed_at + timedelta(minutes=90)
    ]
    if not used:
        return
    voucher, lot, market, key = story.lot.choice(used), story.lot, story.market, some_id()
    seq = lot.choice((len(voucher.uses),) * 4 + (1, 9))
    as_owner, actor = lot.random() < 0.3, lot.choice((market.clerk,) * 5 + (market.staff,))
    expected = story.model.reverse(voucher, seq, actor, story.now, as_owner=as_owner)
    await story.ask(
        "reverse", expected, lambda: market.reverse(voucher.id, seq, key=key, actor=actor, as_owner=as_owner)
    )


async def settle(story: Story) -> None:
    market = story.market
    shop, settlement = story.lot.choice((market.barber, market.bakery)), some_id()
    expected = story.model.settle(shop, story.now)

    async def all_steps() -> None:
        await market.close(shop, settlement_id=settlement)
        await market.confirm(settlement)
        await market.approve(settlement)
        await market.pay(settlement)

    await story.ask("settle", expected, all_steps, again=False)
