"""Cases of communities whose limits are other ones: name, scan, the answer, and what differs from the state."""

from typing import Any

HOUR = 3_600_000
PAPER, LEASED = "roaming on paper", "leased"


def limits(now: int) -> list[tuple[str, str, str, dict[str, Any]]]:
    """The last value that is good and the first that is not, at this time of the state."""
    return [
        ("another community's count", PAPER, "accepted", {"floor.vouchers": 5, "queue.count": 4}),
        ("another community's count, full", PAPER, "floor_count", {"floor.vouchers": 5, "queue.count": 5}),
        ("a higher count", PAPER, "accepted", {"floor.vouchers": 40, "queue.count": 39}),
        ("another community's sum", PAPER, "accepted", {"floor.fen": 5000, "queue.fen": 4000}),
        ("another community's sum and a fen", PAPER, "floor_fen", {"floor.fen": 5000, "queue.fen": 4001}),
        ("another community's price", PAPER, "accepted", {"floor.voucher_fen": 1000}),
        ("another community's price and a fen", PAPER, "too_dear", {"floor.voucher_fen": 999}),
        ("a sum below the price of one", PAPER, "floor_fen", {"floor.fen": 999}),
        ("six hours", PAPER, "floor_fen", {"floor.soft_hours": 6, "server_at": now - 6 * HOUR, "queue.fen": 15_000}),
        ("before six hours", PAPER, "accepted", {"floor.soft_hours": 6, "server_at": now - 6 * HOUR + 1, "queue.fen": 15_000}),
        ("a soft limit of nothing", PAPER, "floor_count", {"floor.soft_hours": 0, "server_at": now, "queue.count": 10}),
        ("a hard limit of twelve hours", LEASED, "too_long_offline", {"floor.hard_hours": 12, "server_at": now - 12 * HOUR}),
        ("a millisecond before twelve hours", LEASED, "accepted", {"floor.hard_hours": 12, "server_at": now - 12 * HOUR + 1}),
        ("a hard limit before the soft one", PAPER, "too_long_offline", {"floor.hard_hours": 12, "server_at": now - 13 * HOUR}),
    ]  # fmt: skip
