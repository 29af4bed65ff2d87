"""The QR: small, crisp, and read back by somebody else's decoder."""

import gzip
import re
import shutil
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from redemption.qr import ErrorCorrection, qr_matrix, qr_svg
from redemption.tokens import CodeKeys, code_url, phone_code, printed_code, signed_code
from tests.redemption.test_tokens import ENDS, NOW, OFFER

KEYS = CodeKeys(current=255, keys={255: b"k" * 32})
HOST = "A" * 21 + ".CN"
ORIGIN = f"https://{HOST}"
WHO = {"community_id": 7, "voucher_id": 2**63 - 1, "code_seq": 65535}
PHONE = code_url(ORIGIN, phone_code(KEYS, **WHO, now=NOW))
PAPER = code_url(ORIGIN, printed_code(KEYS, **WHO))
SIGNED = code_url(ORIGIN, signed_code(KEYS, **WHO, offer_id=OFFER, expires_at=ENDS, quantity=1))


def version(text: str, ecc: ErrorCorrection) -> int:
    return (len(qr_matrix(text, ecc=ecc)) - 17) // 4


def drawn(svg: str) -> list[list[bool]]:
    """The modules that the SVG's path paints, quiet zone and all."""
    size = int(re.findall(r'viewBox="0 0 (\d+) \d+"', svg)[0])
    modules = [[False] * size for _ in range(size)]
    path = re.findall(r'<path stroke="#000" d="([^"]*)"/>', svg)[0]
    rows = re.findall(r"M(\d+) (\d+)\.5h(\d+)((?:m\d+ 0h\d+)*)", path)
    assert "".join(f"M{x} {y}.5h{length}{more}" for x, y, length, more in rows) == path
    for x, y, length, more in rows:
        at = int(x)
        for gap, run in [("0", length), *re.findall(r"m(\d+) 0h(\d+)", more)]:
            at += int(gap)
            modules[int(y)][at : at + int(run)] = [True] * int(run)
            at += int(run)
    return modules


def decoded(modules: list[list[bool]], folder: Path, scale: int = 5) -> str:
    """What zbar reads in a bitmap of these modules."""
    rows = [" ".join("1" if module else "0" for module in row for _ in range(scale)) for row in modules]
    side = len(modules) * scale
    image = folder / "code.pbm"
    image.write_text(f"P1\n{side} {side}\n" + "\n".join(row for row in rows for _ in range(scale)) + "\n")
    run = subprocess.run(["zbarimg", "--quiet", "--raw", str(image)], capture_output=True, text=True, check=True)
    return run.stdout.strip()


def test_the_longest_host_still_fits_version_four() -> None:
    assert len(HOST) == 24
    assert version(PHONE, "M") == 4
    assert version(PAPER, "M") == 4
    assert version(PAPER, "Q") == 4
    assert version(SIGNED, "Q") == 9


@pytest.mark.skipif(shutil.which("zbarimg") is None, reason="zbarimg is not installed")
@pytest.mark.parametrize("ecc", ["L", "M", "Q", "H"])
@pytest.mark.parametrize(
    "text", [PHONE, PAPER, SIGNED, "HTTPS://LINLI.EXAMPLE.CN/I/7", "https://linli.example.cn/check-in?x=1"]
)
def test_another_decoder_reads_what_we_draw(tmp_path: Path, text: str, ecc: ErrorCorrection) -> None:
    assert decoded(drawn(qr_svg(text, ecc=ecc)), tmp_path) == text


def test_the_picture_is_small_and_has_its_quiet_zone() -> None:
    svg = qr_svg(PHONE, title="券码")
    modules = drawn(svg)

    assert len(gzip.compress(svg.encode())) <= 1536
    assert len(modules) == 33 + 8
    border = [row[x] for row in modules for x in (0, 1, 2, 3, -4, -3, -2, -1)]
    assert not any([*border, *(module for row in modules[:4] + modules[-4:] for module in row)])
    assert 'shape-rendering="crispEdges"' in svg


def test_it_speaks_to_a_screen_reader_or_keeps_quiet() -> None:
    named = ET.fromstring(qr_svg("A", title='<券> & "码"', css_class="qr big"))  # noqa: S314  (our own text)
    assert named.get("role") == "img"
    assert named.findtext("{http://www.w3.org/2000/svg}title") == '<券> & "码"'
    assert named.get("class") == "qr big"
    assert ET.fromstring(qr_svg("A")).get("aria-hidden") == "true"  # noqa: S314  (our own text)
