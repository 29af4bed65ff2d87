"""What each kind of code costs: QR version, milliseconds of CPU for the SVG, bytes gzipped. Run it: `./dev bench codes`."""

import gzip
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import redemption
from redemption.qr import ErrorCorrection

ROUNDS = 200
ORIGIN = "https://" + "a" * 21 + ".cn"
KEYS = redemption.CodeKeys(1, {1: bytes(range(32))})
NOW = datetime(2026, 11, 22, 2, tzinfo=UTC)
VOUCHER, TOWN = 2**63 - 5, 610102001012


def kinds() -> Iterator[tuple[str, str, ErrorCorrection]]:
    """A name, the text and the error correction of each kind."""
    phone = redemption.phone_code(KEYS, community_id=TOWN, voucher_id=VOUCHER, code_seq=1, now=NOW)
    paper = redemption.printed_code(KEYS, community_id=TOWN, voucher_id=VOUCHER, code_seq=1)
    card = redemption.card_code(KEYS, community_id=TOWN, handle=VOUCHER, card_seq=1)
    signed = redemption.signed_code(
        KEYS,
        community_id=TOWN,
        voucher_id=VOUCHER,
        code_seq=1,
        offer_id=UUID(int=7),
        expires_at=NOW + timedelta(days=7),
        quantity=1,
    )
    yield "phone R, M", phone, "M"
    yield "paper P, Q", paper, "Q"
    yield "card C, Q", card, "Q"
    yield "signed S, Q", signed, "Q"


def main() -> None:
    """Print one line for each kind."""
    for name, code, ecc in kinds():
        text = redemption.code_url(ORIGIN, code)
        svg = redemption.qr_svg(text, ecc=ecc)
        began = time.process_time()
        for _ in range(ROUNDS):
            redemption.qr_svg(text, ecc=ecc)
        cost = (time.process_time() - began) / ROUNDS * 1000
        version = (len(redemption.qr_matrix(text, ecc=ecc)) - 17) // 4
        packed = len(gzip.compress(svg.encode()))
        print(f"{name}: {len(text)} characters, version {version}, {cost:.2f} ms, {packed} bytes gzipped")


if __name__ == "__main__":
    main()
