"""A shop's phone in the tests: enrolled, cut off, looked into; and vouchers for it to scan."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
from playwright.sync_api import Page, expect
from sqlmodel.ext.asyncio.session import AsyncSession

import redemption
from service.kit.ids import new_id
from service.kit.issuers import code_keys
from service.vouchers.actions import devices as phones
from tests.browser.conftest import Visitor
from tests.browser.live import Live
from tests.browser.steps import give_points, in_town
from tests.cast import HERE, KEYRING
from tests.db import in_thread

PIN = "271828"
CLOCK = """if (location.protocol === 'http:') {{
  const real = Date.now, began = Number(localStorage.began ??= real());
  Date.now = () => real() - began + ({start});
}}"""
STORE = """async ([name, key]) => {
  const base = await new Promise((done, failed) => {
    const request = indexedDB.open('linli-shop');
    request.onsuccess = () => done(request.result);
    request.onerror = () => failed(request.error);
  });
  const store = base.transaction(name).objectStore(name);
  const request = key === null ? store.getAll() : store.get(key);
  const found = await new Promise((done, failed) => {
    request.onsuccess = () => done(request.result);
    request.onerror = () => failed(request.error);
  });
  base.close();
  return JSON.parse(JSON.stringify(found ?? null));
}"""


def offered(live: Live, offline_class: redemption.OfflineClass, **terms: Any) -> UUID:
    """A haircut at the barber's, published, that may be redeemed without a network by whom its class says."""
    offer_id, now = new_id(), live.clock.now
    given: dict[str, Any] = {
        "offer_id": offer_id,
        "sponsor_id": live.town.organisations["sponsor"],
        "merchant_ids": (live.town.organisations["barbershop"],),
        "kind": redemption.OfferKind.SERVICE,
        "title": "理发一次",
        "price_points": 20,
        "payable_fen": 1500,
        "stock_total": 1000,
        "per_member_cap": 900,
        "valid_from": now - timedelta(days=1),
        "valid_until": now + timedelta(days=60),
        "offline_class": offline_class,
    } | terms

    async def publish(session: AsyncSession) -> None:
        drafted = redemption.OfferTerms(**given)
        actor = live.town.actors["wu"].member_id
        await redemption.draft_offer(session, HERE, drafted, actor_id=actor, now=now)
        await redemption.publish_offer(session, HERE, drafted.offer_id, key=uuid4(), actor_id=actor, now=now)

    in_town(live, publish)
    return offer_id


class Member:
    """Somebody with vouchers, who shows their codes."""

    def __init__(self, visit: Visitor, name: str, points: int = 2000) -> None:
        give_points(visit.live, name, points)
        self.page = visit.page(name)
        self.origin = visit.live.origin
        self.page.goto(f"{self.origin}/vouchers")

    def take(self, offer_id: UUID) -> str:
        """A voucher of the offer, by its id."""
        token = next(c["value"] for c in self.page.context.cookies() if c["name"] == "csrftoken")
        answer = self.page.request.post(
            f"{self.origin}/api/offers/{offer_id}/vouchers",
            data={},
            headers={"idempotency-key": str(uuid4()), "x-csrftoken": token},
        )
        assert answer.status == 201, answer.text()
        return str(answer.json()["voucher_id"])

    def code(self, voucher_id: str) -> str:
        """What the voucher shows now."""
        return str(self.page.request.get(f"{self.origin}/api/vouchers/{voucher_id}").json()["qr"])


def signed(live: Live, offer_id: UUID, voucher_id: str) -> str:
    """What stands on the voucher's paper: good without a network, for any shop of the offer."""
    found: list[str] = []

    async def read(session: AsyncSession) -> None:
        voucher = await redemption.voucher(session, HERE, int(voucher_id))
        code = redemption.signed_code(
            code_keys(KEYRING, live.clock.now),
            community_id=HERE,
            voucher_id=voucher.voucher_id,
            code_seq=voucher.code_seq,
            offer_id=offer_id,
            expires_at=voucher.expires_at,
            quantity=voucher.quantity_total,
        )
        found.append(redemption.code_url(live.origin, code))

    in_town(live, read)
    return found[0]


def shop_page(visitor: Visitor, name: str = "barber", start: str | None = None) -> Page:
    """Somebody's phone at a counter. Its clock agrees with the service's, unless it is told to start somewhere else."""
    page = visitor.page(name)
    moment = start or str(int(visitor.live.clock.now.timestamp() * 1000))
    page.context.add_init_script(CLOCK.format(start=moment))
    return page


def ticket_for(live: Live, shop: str) -> str:
    """What staff show: good for one phone."""
    found: list[str] = []

    async def make(session: AsyncSession) -> None:
        wu, shop_id = live.town.actors["wu"], live.town.organisations[shop]
        ticket, _until = await phones.make_ticket(session, actor=wu, shop_id=shop_id, now=live.clock.now)
        found.append(ticket)

    in_town(live, make)
    return found[0]


def enrol(page: Page, origin: str, ticket: str) -> None:
    """From the staff's code to a device with a clerk's PIN, a snapshot, and a page that opens without the server."""
    page.goto(f"{origin}/E/{ticket}")
    page.get_by_role("button", name="登记这部手机").click()
    page.get_by_role("link", name="选离线密码").click()
    page.get_by_label("6 位数字").fill(PIN)
    page.get_by_label("再输一遍").fill(PIN)
    page.get_by_role("button", name="用这个密码").click()
    expect(page.get_by_role("status").filter(has_text="记住了")).to_be_visible()
    page.goto(f"{origin}/shop")
    page.wait_for_function("() => navigator.serviceWorker.ready.then(found => found.active.state === 'activated')")
    page.wait_for_function("async () => (await caches.keys()).length > 0")
    # The phone knows its sentences and its clerk: from here on it answers for itself.
    page.wait_for_function(
        "() => 'own' in document.querySelector('[data-scanner]').dataset && sessionStorage.getItem('linli-clerk')"
    )


def stored(page: Page, name: str, key: str | None = None) -> Any:
    """What the phone keeps."""
    return page.evaluate(STORE, [name, key])


def knows(page: Page, *vouchers: str) -> None:
    """Wait until the phone's snapshot has these vouchers; it is fetched anew when the page opens without one."""
    row = None
    for _ in range(50):
        row = stored(page, "kept", "snapshot")
        if row and set(vouchers) <= {each["id"] for each in row["value"]["vouchers"]}:
            return
        page.wait_for_timeout(100)
    message = f"the phone does not know {vouchers}, but {row}"
    raise AssertionError(message)


def scan(page: Page, code: str) -> None:
    """What a hardware scanner does: types the whole address and presses Enter."""
    # A green screen leaves by itself, perhaps at this very moment; pressed then, the button does nothing.
    if page.locator(".result").is_visible():
        page.locator("[data-next]").dispatch_event("click")
    page.locator("#code").fill(code)
    page.locator("#code").press("Enter")


def shown(page: Page, state: str, *words: str) -> None:
    """The whole screen says this."""
    result = page.locator(f".result.{state}")
    expect(result).to_be_visible()
    for word in words:
        expect(result).to_contain_text(word)


def unlock(page: Page, pin: str = PIN) -> None:
    """The clerk's PIN."""
    page.locator("#lock-pin").fill(pin)
    page.get_by_role("button", name="打开扫码").click()


async def _uses(live: Live, vouchers: Sequence[str]) -> dict[str, int]:
    connection = await asyncpg.connect(live.database.superuser_url)
    try:
        rows = await connection.fetch(
            "SELECT voucher_id, sum(quantity) AS pieces FROM redemption.use"
            " WHERE voucher_id = ANY ($1::bigint[]) AND state IN ('ACCEPTED', 'SETTLED') GROUP BY voucher_id",
            [int(each) for each in vouchers],
        )
        return {str(row["voucher_id"]): int(row["pieces"]) for row in rows}
    finally:
        await connection.close()


def uses(live: Live, vouchers: Sequence[str]) -> dict[str, int]:
    """How many pieces of each voucher the books say were used."""
    return in_thread(_uses(live, vouchers))


def phones_again(page: Page, origin: str) -> Page:
    """The same phone after it was off: a new page, with what the phone keeps and nothing of the old page."""
    fresh = page.context.new_page()
    page.close()
    fresh.goto(f"{origin}/shop")
    return fresh
