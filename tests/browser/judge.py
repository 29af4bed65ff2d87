"""What every page must keep: accessible to everybody, in one language, no wider than the screen."""

import re
from collections.abc import Iterable
from pathlib import Path

from playwright.sync_api import Page

AXE = Path("service/static/test/axe.js")
CHINESE = re.compile(r"[㐀-鿿]+")
SENTENCE = re.compile(r"\b[A-Za-z]{2,}(?:[ ,'’-]+[A-Za-z]{2,}){2,}")

TEXTS = """() => {
  const found = [];
  const walker = document.createTreeWalker(document.documentElement, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode, home = node.parentElement;
    if (!home || home.closest('script, style, template, noscript, [lang]:not(html), [data-said]')) continue;
    const text = node.textContent.trim();
    if (text) found.push(text);
  }
  for (const name of ['placeholder', 'aria-label', 'title', 'alt'])
    for (const home of document.querySelectorAll('[' + name + ']'))
      if (!home.closest('[lang]:not(html)')) found.push(home.getAttribute(name));
  return found;
}"""


WIDER = """() => document.querySelector('link[href*=print]') ? 0
  : document.documentElement.scrollWidth - document.documentElement.clientWidth"""


def bring_axe(page: Page) -> None:
    """Every page opened here from now on has axe in it. It has 650 KB, too much to send to each of many pages."""
    page.add_init_script(path=AXE)


def axe(page: Page) -> list[str]:
    """Every violation axe finds, of any impact, best practice included."""
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(AXE.read_text())
    found = page.evaluate("async () => (await axe.run({ resultTypes: ['violations'] })).violations")
    return [f"{item['id']} ({item['impact']}): {node['html'][:140]}" for item in found for node in item["nodes"][:3]]


def sideways(page: Page) -> list[str]:
    """Whether the page is wider than the screen; sheets for the printer keep the size of their paper.

    On a phone `innerWidth` grows with a page that is too wide, the layout's width does not.
    """
    wide = page.evaluate(WIDER)
    return [f"{wide} px wider than the screen"] if wide > 1 else []


def foreign(page: Page, known: Iterable[str]) -> list[str]:
    """Words in the wrong language: Chinese on an English page that is nobody's data, or a Latin sentence on a Chinese one."""
    data = "\n".join(known)
    english = page.evaluate("() => document.documentElement.lang") == "en"
    wrong = []
    for text in page.evaluate(TEXTS):
        if english:
            wrong += [f"Chinese on an English page: {run}" for run in CHINESE.findall(text) if run not in data]
        else:
            wrong += [f"Latin on a Chinese page: {run}" for run in SENTENCE.findall(text) if run not in data]
    return sorted(set(wrong))


def small(page: Page) -> list[str]:
    """In 长辈版, text under 18 px and targets under 44 px; sheets for the printer keep the size of their paper."""
    if page.locator("link[href*=print]").count():
        return []
    return list(
        page.evaluate(
            """() => {
  const wrong = [];
  const shown = e => {
    const r = e.getBoundingClientRect(), s = getComputedStyle(e);
    return r.width > 2 && r.height > 2 && s.visibility !== 'hidden' && s.display !== 'none';
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const home = walker.currentNode.parentElement;
    if (!walker.currentNode.textContent.trim() || !home || !shown(home)) continue;
    if (home.closest('script, style, template, svg, .vh, option, [hidden]')) continue;
    const size = parseFloat(getComputedStyle(home).fontSize);
    if (size < 18) wrong.push(size + 'px: ' + walker.currentNode.textContent.trim().slice(0, 30));
  }
  for (const e of document.querySelectorAll('a[href], button, input:not([type=hidden]), select, textarea')) {
    if (!shown(e) || e.closest('.vh, [hidden]') || e.disabled) continue;
    if (e.tagName === 'A' && getComputedStyle(e).display === 'inline') continue;
    const r = (e.closest('label') || e).getBoundingClientRect();
    if (r.height < 43.5) wrong.push(Math.round(r.height) + 'px high: ' + (e.textContent || e.name || e.type).trim().slice(0, 30));
  }
  return [...new Set(wrong)];
}"""
        )
    )
