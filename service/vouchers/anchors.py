"""Anchors of leased vouchers that were computed already: the same for every look of a phone, and dear to compute."""

from collections import OrderedDict
from collections.abc import Sequence
from threading import Lock

import redemption

KEPT_MOST = 20_000
"""So many vouchers at most, the ones asked for last: a little more than a kilobyte each."""


class Anchors:
    """Computes each anchor once. A phone looks every few minutes, and nearly all of its 19 windows are those of the last look.

    An anchor is kept with the secret that made it: where another key makes a window's codes now, it is computed anew.
    """

    def __init__(self, most: int = KEPT_MOST) -> None:
        self._most = most
        self._kept: OrderedDict[tuple[int, int, int], tuple[int, tuple[bytes, ...], tuple[bytes, ...]]] = OrderedDict()
        self._lock = Lock()

    def of(
        self,
        keys: redemption.CodeKeys,
        *,
        community_id: int,
        voucher_id: int,
        code_seq: int,
        first_window: int,
        secrets: tuple[bytes, ...],
    ) -> Sequence[bytes]:
        """The anchors of as many windows as there are secrets; a thread of its own may ask, too."""
        name = (community_id, voucher_id, code_seq)
        with self._lock:
            began, made_with, known = self._kept.get(name, (first_window, (), ()))
        over = max(0, first_window - began)
        is_good = began <= first_window and made_with[over : over + len(secrets)] == secrets[: len(made_with) - over]
        values = list(known[over : over + len(secrets)]) if is_good else []
        if len(values) < len(secrets):
            values += redemption.anchors(
                keys,
                community_id=community_id,
                voucher_id=voucher_id,
                code_seq=code_seq,
                first_window=first_window + len(values),
                count=len(secrets) - len(values),
            )
        with self._lock:
            self._kept[name] = (first_window, secrets, tuple(values))
            self._kept.move_to_end(name)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return values


def secrets_of_windows(keys: redemption.CodeKeys, *, first_window: int, count: int) -> tuple[bytes, ...]:
    """The secret that makes the codes of each of so many windows."""
    return tuple(keys.keys[number] for number in redemption.key_numbers(keys, first_window=first_window, count=count))
