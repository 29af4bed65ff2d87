"""The browser's rules of scanning without a network, held to the same cases as the server's."""

import json
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from redemption.offline import rules
from tests.vectors import offline

pytestmark = pytest.mark.browser

RULES = Path("service/static/test/offline-rules.js")
RUN = """async (vectors) => {
  const rules = offlineRules, wrong = [];
  const expected = (what, name, found, wanted) => {
    if (JSON.stringify(found) !== JSON.stringify(wanted)) wrong.push([what, name, found]);
  };
  const changed = (whole, paths) => {
    const made = structuredClone(whole);
    for (const [path, value] of Object.entries(paths)) {
      const inner = path.split('.'), last = inner.pop();
      inner.reduce((place, key) => place[key], made)[last] = value;
    }
    return made;
  };
  const bytes = (text) => Uint8Array.from(text.match(/../g), (pair) => parseInt(pair, 16));
  for (const one of vectors.judge) {
    const scan = changed(vectors.scans[one.scan], one.changed);
    expected('judge', one.name, rules.judge(changed(vectors.state, one.state), scan), one.expect);
  }
  for (const one of vectors.undo) {
    const good = changed(one.good, one.changed);
    expected('undo', one.name, rules.judgeUndo(good.state, good.undo), one.expect);
  }
  for (const one of vectors.time) expected('time', one.name, rules.trustedTime(one.clock), one.expect);
  for (const one of vectors.record) {
    expected('text', one.name, rules.recordText(one.record), one.text);
    expected('hash', one.name, await rules.recordHash(one.text), one.hash);
  }
  for (const one of vectors.chain)
    expected('chain', one.voucher, rules.hex(await rules.chainValue(one.voucher, bytes(one.value), one.times)), one.expect);
  for (const one of vectors.log)
    expected('log', one.name, await rules.logFaults(one.texts, one.after_seq, one.after_hash), one.expect);
  return wrong;
}"""


def test_the_browser_judges_every_case_as_the_server_does(chromium: Browser) -> None:
    vectors: dict[str, Any] = json.loads(offline.HERE.read_text(encoding="utf-8"))
    page = chromium.new_page()
    # Hashes are computed only where a page came over https or from this machine.
    page.route("**/*", lambda route: route.fulfill(body="<!doctype html>", content_type="text/html"))
    page.goto("http://127.0.0.1/")
    page.evaluate(RULES.read_text())

    assert page.evaluate(RUN, vectors) == []
    assert page.evaluate("offlineRules.REASONS") == list(rules.ORDER)
    assert page.evaluate("offlineRules.UNDO_REASONS") == list(rules.UNDO_ORDER)

    vectors["judge"][0]["expect"] = {"verdict": "refuse", "reason": "storage"}
    assert len(page.evaluate(RUN, vectors)) == 1
    page.close()
