"""Many scans while the network goes and comes as it likes: two phones of one shop, and the books at the end."""

import random
import statistics
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from playwright.sync_api import Browser, Page, expect

import redemption
from tests.browser.conftest import Visitor
from tests.browser.line import PhoneLine, State, through_a_line
from tests.browser.live import Live
from tests.browser.shop_phone import Member, enrol, knows, offered, scan, shop_page, stored, ticket_for, unlock, uses

LINES = (State.GOOD, State.GOOD, State.CUT, State.CUT, State.CUT, State.DEAF, State.SILENT)
CHANGES, RELOADS, TWICE, BOTH = 0.15, 0.04, 0.15, 0.3
GIVEN = {"ok", "offline"}
"""The colours with which the goods leave the shop."""
COLOUR = """() => {
  const result = document.querySelector('[data-result]');
  return result.hidden ? null : result.className.replace('result ', '');
}"""
TOOK = "() => performance.getEntriesByName('verdict').at(-1).duration"


@dataclass
class Outcome:
    """What the phones showed and what the books say."""

    scans: int
    colours: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    """Vouchers whose goods left the shop and that the books do not have as used."""
    twice: list[str] = field(default_factory=list)
    """Used more than once, in the books or by two colours that let the goods go."""
    unsaid: list[str] = field(default_factory=list)
    """Used in the books, and no phone said so."""
    waiting: int = 0
    """Records left on the phones at the end."""
    offline_ms: list[float] = field(default_factory=list)
    """How long each verdict took, from the code to the colour, while the phone knew that there is no network."""
    online_ms: list[float] = field(default_factory=list)
    """The same where the server said yes."""

    def said(self) -> dict[str, object]:
        """For people and programs."""
        return {
            "scans": self.scans,
            "colours": dict(self.colours),
            "lost": len(self.lost),
            "twice": len(self.twice),
            "unsaid": len(self.unsaid),
            "waiting": self.waiting,
            "offline_verdicts": len(self.offline_ms),
            "offline_p50_ms": round(statistics.median(self.offline_ms), 1) if self.offline_ms else None,
            "offline_p95_ms": round(ninety_fifth(self.offline_ms), 1),
            "online_verdicts": len(self.online_ms),
            "online_p50_ms": round(statistics.median(self.online_ms), 1) if self.online_ms else None,
            "online_p95_ms": round(ninety_fifth(self.online_ms), 1),
        }


class Rounds:
    """One run. The clock of the service goes with the phones', for codes live a minute."""

    def __init__(self, chromium: Browser, visit: Visitor, *, scans: int, seed: int, throttle: int) -> None:
        self.chromium, self.visit, self.live = chromium, visit, visit.live
        self.random = random.Random(seed)
        self.outcome = Outcome(scans)
        self.given: Counter[str] = Counter()
        self.throttle = throttle

    def run(self) -> Outcome:
        """All scans, then the network comes back, and the books are read."""
        offer = offered(self.live, redemption.OfflineClass.LEASED)
        chen = Member(self.visit, "chen", points=20 * self.outcome.scans + 100)
        vouchers = [chen.take(offer) for _ in range(self.outcome.scans)]
        with through_a_line(self.live) as (behind, line):
            phones = Visitor(self.chromium, behind)
            first = shop_page(phones)
            began, start = time.monotonic(), self.live.clock.now
            enrol(first, behind.origin, ticket_for(self.live, "barbershop"))
            knows(first, *vouchers)
            slow = first.context.new_cdp_session(first)
            slow.send("Emulation.setCPUThrottlingRate", {"rate": self.throttle})
            second = shop_page(self.visit)
            second.goto(f"{self.live.origin}/shop")
            try:
                for voucher in vouchers:
                    self._now(began, start)
                    self._disturb(line, first, behind.origin)
                    self._scan_at_both(chen, voucher, first, second)
                line.become(State.GOOD)
                expect(first.locator("[data-unsent]")).to_be_hidden(timeout=60_000)
                self.outcome.waiting = len(stored(first, "log"))
            finally:
                phones.close()
        self._read_books(vouchers)
        return self.outcome

    def _now(self, began: float, start: datetime) -> None:
        self.live.clock.now = start + timedelta(seconds=time.monotonic() - began)

    def _disturb(self, line: PhoneLine, phone: Page, origin: str) -> None:
        if self.random.random() < CHANGES:
            line.become(self.random.choice(LINES))
        if self.random.random() < RELOADS:
            phone.goto(f"{origin}/shop")
            phone.wait_for_timeout(300)
            if phone.locator("[data-lock]").is_visible():
                unlock(phone)
                expect(phone.locator("[data-lock]")).to_be_hidden()

    def _scan_at_both(self, chen: Member, voucher: str, first: Page, second: Page) -> None:
        code = chen.code(voucher)
        shown = [self._scan(first, code, own=True)]
        if self.random.random() < TWICE:
            shown.append(self._scan(first, code, own=True))
        if self.random.random() < BOTH:
            shown.append(self._scan(second, code, own=False))
        self.given[voucher] = sum(colour in GIVEN for colour in shown)

    def _scan(self, page: Page, code: str, *, own: bool) -> str:
        knew = page.locator("[data-net]").is_visible()
        scan(page, code)
        page.wait_for_function(f"() => ({COLOUR})() !== null", timeout=20_000)
        colour = str(page.evaluate(COLOUR))
        self.outcome.colours[colour] += 1
        if own and knew and colour == "offline":
            self.outcome.offline_ms.append(page.evaluate(TOOK))
        if own and colour == "ok":
            self.outcome.online_ms.append(page.evaluate(TOOK))
        return colour

    def _read_books(self, vouchers: list[str]) -> None:
        used = uses(self.live, vouchers)
        for voucher in vouchers:
            given, in_books = self.given[voucher], used.get(voucher, 0)
            if given and not in_books:
                self.outcome.lost.append(voucher)
            if given > 1 or in_books > 1:
                self.outcome.twice.append(voucher)
            if in_books and not given:
                self.outcome.unsaid.append(voucher)


def ninety_fifth(times: list[float]) -> float:
    """The time that nineteen of twenty keep, in milliseconds."""
    return sorted(times)[max(0, round(len(times) * 0.95) - 1)] if times else 0.0


def with_rounds(chromium: Browser, live: Live, *, scans: int, seed: int, throttle: int) -> Outcome:
    """One run in a town that is served."""
    visitor = Visitor(chromium, live)
    try:
        return Rounds(chromium, visitor, scans=scans, seed=seed, throttle=throttle).run()
    finally:
        visitor.close()
