"""What the list of leased vouchers costs that a shop's phone fetches: `python -m bench.snapshot`, without a database.

For so many vouchers under a lease of 72 hours: processor seconds of the first look and of the next one, and how large the list is.
"""

import argparse
import gzip
import time
from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec

import redemption
from service.vouchers.api import devices
from service.vouchers.payloads.devices import LeaseOut
from tests.cast import KEYRING

NOW = datetime(2026, 11, 23, tzinfo=UTC)
OFFER = UUID(int=1)


def leased(number: int) -> redemption.LeasedVoucher:
    voucher_id = number * 2_654_435_761 % 2**63
    return redemption.LeasedVoucher(
        voucher_id, OFFER, "理发一次", 1, 20, 0, 1500, 1, 1, NOW + timedelta(days=7), None, 127
    )


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("vouchers", type=int, nargs="*", default=[100, 1_000, 10_000])
    ends_at = int((NOW + timedelta(hours=72)).timestamp() * 1000)
    lease = LeaseOut(id=UUID(int=2), ends_at=ends_at, frozen=False, signature="")
    for count in asked.parse_args().vouchers:
        vouchers = [leased(count * 10 + number) for number in range(count)]
        for look in ("first", "next"):
            began = time.process_time()
            told = msgspec.json.encode(devices.all_leased(KEYRING, 1, vouchers, lease, NOW))
            seconds = time.process_time() - began
            packed = len(gzip.compress(told, 6))
            print(f"{count} vouchers, {look} look: {seconds:.2f} s, {len(told):,} bytes, {packed:,} packed", flush=True)


if __name__ == "__main__":
    main()
