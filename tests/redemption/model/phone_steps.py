"""What may happen to phones: leases, scans without a network, uploads, held records, a lost phone."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import redemption
from tests.redemption.market import some_id
from tests.redemption.model.story import Story


async def take_lease(story: Story) -> None:
    phone, market = story.lot.choice(story.phones), story.market
    lease_id = some_id()
    expected = story.model.take_lease(story.model.world.devices[phone.device_id], lease_id, story.now)
    known = phone.lease_id

    async def asked() -> None:
        async with market.sessions.begin() as session:
            lease = await redemption.take_lease(
                session, market.book, phone.device_id, lease_id=lease_id, now=market.now
            )
        phone.lease_id = lease.lease_id

    if await story.ask("lease", expected, asked, again=False):
        phone.hears(story.now)
        assert await phone.listed(market) == story.model.listed(story.model.world.devices[phone.device_id], story.now)
    else:
        assert phone.lease_id == known


async def return_lease(story: Story) -> None:
    phone = story.lot.choice(story.phones)
    expected = story.model.return_lease(story.model.world.devices[phone.device_id], phone.seq, story.now)
    await story.ask("return", expected, lambda: phone.return_lease(story.market), again=False)


async def break_lease(story: Story) -> None:
    leases, market, key = list(story.model.world.leases.values())[-3:], story.market, some_id()
    if not leases:
        return
    lease = story.lot.choice(leases)
    expected = story.model.break_lease(lease, story.now)

    async def asked() -> None:
        async with market.sessions.begin() as session:
            await redemption.break_lease(
                session, market.book, lease.id, key=key, reason="lost", actor_id=market.staff, now=market.now
            )

    await story.ask("break", expected, asked)


async def scan_offline(story: Story) -> None:
    """One or several records into a phone's log, some of them wrong in some way."""
    lot, phone = story.lot, story.lot.choice(story.phones)
    for _ in range(lot.choice((1, 1, 2, 3))):
        voucher = story.voucher_for(phone)
        if voucher is None:
            return
        changed: dict[str, Any] = {
            "class": voucher.offer.offline_class,
            "code_seq": lot.choice((voucher.code_seq, voucher.code_seq, 1)),
            "quantity": lot.choice((1, 1, 1, 2)),
        }
        odd = lot.random()
        if odd < 0.05:
            changed["fault"] = "forged"
        elif odd < 0.08:
            changed["is_clerk"] = False
        elif odd < 0.11:
            changed["group"] = str(voucher.group)
        elif odd < 0.16:
            changed["mono"] = None
        elif odd < 0.22:
            shift = lot.choice((-40, -2, -1, 1, 9)) * 86_400_000
            changed["trusted_at"] = int(story.now.timestamp() * 1000) + shift
        elif odd < 0.25:
            changed["lease"] = str(some_id())
        elif odd < 0.27:
            changed["flags"] = ["clock_back"]
        elif odd < 0.29:
            changed["nonce"] = str(lot.choice(story.scans)["nonce"]) if story.scans else str(some_id())
        known = voucher.id if odd < 0.98 else 1 + lot.randrange(1000)
        story.history.append((phone, phone.scan(known, story.market, **changed)))


async def undo_offline(story: Story) -> None:
    """A phone takes one of its last scans back, or by mistake what is not its own."""
    lot, phone = story.lot, story.lot.choice(story.phones)
    own = [record for whose, record in story.history[-40:] if whose is phone or lot.random() < 0.05]
    if own:
        changed = {} if lot.random() < 0.9 else {"clerk": str(story.market.staff)}
        story.history.append((phone, phone.undo(lot.choice(own[-4:]), story.market, **changed)))


async def sync(story: Story) -> None:
    """An upload: mostly the queue in order, now and then in disorder, in part, or with what was uploaded before."""
    lot, market = story.lot, story.market
    phone = lot.choice(story.phones)
    records = list(phone.queue)
    if lot.random() < 0.2:
        lot.shuffle(records)
    if lot.random() < 0.2:
        records = records[: lot.randrange(1 + len(records))]
    before = [record for whose, record in story.history if whose is phone]
    if before and lot.random() < 0.3:
        records += [lot.choice(before) for _ in range(3)]
    expected = story.model.sync(story.model.world.devices[phone.device_id], records, phone.seq, story.now)
    answers = await phone.sync(market, records, terms=story.terms)
    found = [(each["verdict"], each["reason"], each["bearer"]) for each in answers]
    assert found == expected, (found, expected)
    for verdict, reason, bearer in found:
        story.met[f"record {verdict} {reason} {bearer}"] += 1
    if lot.random() < 0.7:
        phone.hears(story.now)


async def decide(story: Story) -> None:
    """Two people decide what was held."""
    lot, market, world = story.lot, story.market, story.model.world
    held = [
        (device, record) for device in world.devices.values() for record in device.records.values() if record.review
    ]
    if not held:
        return
    device, record = lot.choice(held[-6:])
    is_paid, nonce = lot.random() < 0.6, UUID(record.nonce)
    expected = story.model.decide(device, record, story.now, is_paid=is_paid)

    async def by_two() -> None:
        async with market.sessions.begin() as session:
            await redemption.propose_review(
                session,
                market.book,
                device.id,
                nonce,
                is_paid=is_paid,
                note="asked the shop",
                actor_id=market.staff,
                now=market.now,
            )
            await redemption.decide_review(
                session,
                market.book,
                device.id,
                nonce,
                is_agreed=True,
                actor_id=market.finance,
                month_on=story.terms.month_on,
                now=market.now,
            )

    await story.ask("decide", expected, by_two, again=False)


async def lose_phone(story: Story) -> None:
    """A phone is gone, and the shop gets another. What it still has can be uploaded all the same."""
    market = story.market
    if len(story.phones) > 6 or story.lot.random() < 0.8:
        return
    phone = story.lot.choice(story.phones)
    async with market.sessions.begin() as session:
        await redemption.revoke_device(session, market.book, phone.device_id, actor_id=market.staff, now=market.now)
    story.model.world.devices[phone.device_id].is_revoked = True
    new = await type(phone)(market, merchant_id=phone.merchant_id).enrol()
    story.phones.append(new)
    story.model.add_device(new.device_id, new.merchant_id or market.barber, story.now)
    story.met["phone lost"] += 1
