"""Walks the whole site as a person would, by its links, one visit for each kind of page."""

import re
from collections import deque
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from playwright.sync_api import Page

UUID_OR_NUMBER = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{32}|\d{2,}")
CODE = re.compile(r"^/([ACPVacpv])/[^/?]+")
FILES = ("/xlsx", "/csv", "/pdf", ".py", ".xlsx", ".csv", ".ics", ".json", ".svg", ".pdf", ".txt")

LINKS = "els => els.map(a => a.getAttribute('href'))"


def kind_of(url: str) -> str:
    """The page's kind: its address with every id and number taken out, query names kept."""
    parts = urlsplit(url)
    path = CODE.sub(r"/\1/*", UUID_OR_NUMBER.sub("*", parts.path))
    names = sorted({item.split("=")[0] for item in parts.query.split("&") if item})
    return path + ("?" + ",".join(names) if names else "")


@dataclass
class Crawl:
    """Everybody's walks; `pages` has one address, and who went there, for each kind of page found."""

    origin: str
    pages: dict[str, tuple[str | None, str]] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)

    def walk(self, page: Page, who: str | None, starts: tuple[str, ...]) -> None:
        """Follow links from somebody's starting pages to kinds that nobody saw yet; all but an answer 200 is a failure."""
        waiting, seen = deque(starts), self.seen
        seen -= {kind_of(url) for url in starts}
        while waiting:
            url = waiting.popleft()
            kind = kind_of(url)
            if kind in seen:
                continue
            seen.add(kind)
            answer = page.goto(self.origin + url)
            if answer is None or answer.status != 200:
                self.failures.append(f"{url} answered {who} {answer.status if answer else 'nothing'}")
                continue
            if "text/html" not in answer.headers.get("content-type", ""):
                continue
            landed = urlsplit(page.url)
            here = landed.path + (f"?{landed.query}" if landed.query else "")
            self.pages.setdefault(kind_of(here), (who, here))
            seen.add(kind_of(here))
            for href in page.eval_on_selector_all("a[href]:not([download])", LINKS):
                target = self._inside(page.url, href)
                if target and kind_of(target) not in seen:
                    waiting.append(target)

    def _inside(self, base: str, href: str) -> str | None:
        if href.startswith(("tel:", "mailto:", "#", "javascript:", "data:")):
            return None
        parts = urlsplit(href)
        if parts.netloc and f"{parts.scheme}://{parts.netloc}" != self.origin:
            return None
        path = parts.path if parts.path.startswith("/") else urlsplit(base).path
        if path.startswith(("/static", "/schema", "/api/", "/metrics")) or path.endswith(FILES):
            return None
        return path + (f"?{parts.query}" if parts.query else "")
