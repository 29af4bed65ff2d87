"""The receipt of a use on the narrow rolls of a counter's printer: as wide as the paper, and nothing cut off."""

import re
import subprocess
from pathlib import Path

import asyncpg
import pytest
from playwright.sync_api import Browser

from tests.browser.conftest import Visitor, press, shot
from tests.browser.live import Live
from tests.db import in_thread

pytestmark = [pytest.mark.browser, pytest.mark.slow]
POINTS_PER_MM = 72 / 25.4
BARE_MM = 3
"""On each side the printer's head does not reach the paper."""


async def a_use(live: Live) -> tuple[int, int]:
    """One at the bakery, where Zhou serves."""
    connection = await asyncpg.connect(live.database.superuser_url)
    try:
        row = await connection.fetchrow(
            "SELECT u.voucher_id, u.seq FROM redemption.use u JOIN organisation o ON o.organisation_id = u.merchant_id"
            " WHERE o.name = '周记面包坊' ORDER BY u.received_at LIMIT 1"
        )
    finally:
        await connection.close()
    return row["voucher_id"], row["seq"]


@pytest.mark.parametrize("english", [False, True])
def test_a_receipt_fits_both_papers(chromium: Browser, demo_live: Live, tmp_path: Path, *, english: bool) -> None:
    visitor = Visitor(chromium, demo_live)
    try:
        zhou = visitor.page("zhou", english=english)
        voucher_id, seq = in_thread(a_use(demo_live))
        for width in (58, 80):
            zhou.goto(f"{demo_live.origin}/shop/uses/{voucher_id}/{seq}/receipt?paper={width}")
            shot(zhou, f"slip-{width}-{'en' if english else 'zh'}")
            file = tmp_path / f"{width}.pdf"
            zhou.pdf(path=str(file), prefer_css_page_size=True)
            boxes = subprocess.run(
                ["pdftotext", "-bbox", str(file), "-"], check=True, capture_output=True, text=True
            ).stdout
            assert len(re.findall(r"<page ", boxes)) == 1
            assert float(re.findall(r'<page width="([\d.]+)"', boxes)[0]) == pytest.approx(width * POINTS_PER_MM, abs=1)
            lefts = [float(x) for x in re.findall(r'<word xMin="([\d.]+)"', boxes)]
            rights = [float(x) for x in re.findall(r'xMax="([\d.]+)"', boxes)]
            assert min(lefts) >= BARE_MM * POINTS_PER_MM
            assert max(rights) <= (width - BARE_MM) * POINTS_PER_MM
        press(zhou, zhou.get_by_role("link", name="58"))
        assert "paper=80" not in zhou.url
    finally:
        visitor.close()
    assert visitor.troubles == []
