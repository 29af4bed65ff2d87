"""Every dated setting there is: its name, its value where a community says nothing else, and its bounds.

The defaults are written as rows when a community is founded, so that a later release may suggest other values without
changing what held before. Sources are those of the field: most cities count 60 minutes as one coin; 南京 and 广州 stop
the store at 1,500 hours; 云南 counts presence from 60 % of the plan.
"""

from dataclasses import dataclass
from enum import StrEnum


class SettingGroup(StrEnum):
    """Where a setting stands on the page."""

    EARNING = "earning"
    HOURS = "hours"
    WISHES = "wishes"
    VOUCHERS = "vouchers"
    CLEARING = "clearing"
    EXCHANGE = "exchange"
    FUND = "fund"
    REPAIRS = "repairs"
    ACCESS = "access"


_GROUPS = {
    "wish": SettingGroup.WISHES,
    "voucher": SettingGroup.VOUCHERS,
    "invalid_scans": SettingGroup.VOUCHERS,
    "settlement": SettingGroup.VOUCHERS,
    "watch": SettingGroup.VOUCHERS,
    "offline": SettingGroup.VOUCHERS,
    "repair": SettingGroup.REPAIRS,
    "presence": SettingGroup.HOURS,
    "checkin": SettingGroup.HOURS,
    "shift": SettingGroup.HOURS,
    "clearing": SettingGroup.CLEARING,
    "exchange": SettingGroup.EXCHANGE,
    "fund": SettingGroup.FUND,
    "second_factor": SettingGroup.ACCESS,
}
"""By how a name begins; whatever is not listed is about earning."""
_ONE_IS_ENOUGH = frozenset(
    {
        "checkin_code_seconds",
        "checkin_early_minutes_max",
        "checkin_late_minutes_max",
        "shift_cancel_minutes_before",
        "wish_claim_days",
        "wish_open_days",
        "wish_confirm_days",
        "wishes_open_per_member_max",
        "exchange_listing_days",
        "exchange_answer_days",
        "voucher_code_seconds",
        "invalid_scans_max",
        "invalid_scans_minutes",
    }
)
"""On these no points, coins or money depend, only how the work goes."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: a whole number with bounds and a unit that its name ends in."""

    name: str
    default: int
    smallest: int
    largest: int

    @property
    def group(self) -> SettingGroup:
        """Where it stands on the page."""
        return next((group for start, group in _GROUPS.items() if self.name.startswith(start)), SettingGroup.EARNING)

    @property
    def moves_value(self) -> bool:
        """Whether points, coins or money depend on it: then a change takes two people and begins tomorrow at the earliest."""
        return self.name not in _ONE_IS_ENOUGH


_ALL = (
    # Earning. Points = minutes x coefficient / 1000 x 100 / 60, in hundredths, remainder dropped.
    Setting("points_coefficient_thousandths.general", 1000, 0, 10_000),
    Setting("points_coefficient_thousandths.company", 1000, 0, 10_000),
    Setting("points_coefficient_thousandths.care", 1500, 0, 10_000),
    Setting("points_coefficient_thousandths.skilled", 1500, 0, 10_000),
    Setting("points_coefficient_thousandths.patrol", 800, 0, 10_000),
    Setting("points_coefficient_thousandths.training", 0, 0, 10_000),
    Setting("credited_minutes_per_day_max", 480, 0, 1440),
    Setting("store_minutes_max", 90_000, 0, 100_000_000),
    # Points live so many months, or to the end of their year and so many months more; 0 and 0 is for ever.
    Setting("points_expire_months", 0, 0, 240),
    Setting("points_expire_at_year_end", 0, 0, 1),
    Setting("points_expire_grace_days", 30, 0, 366),
    # Hours.
    Setting("presence_percent_min", 60, 0, 100),
    Setting("checkin_code_seconds", 30, 10, 300),
    Setting("checkin_early_minutes_max", 30, 0, 720),
    Setting("checkin_late_minutes_max", 240, 0, 1440),
    Setting("shift_cancel_minutes_before", 60, 0, 10_080),
    # Wishes.
    Setting("wish_claim_days", 7, 1, 90),
    Setting("wish_open_days", 60, 1, 365),
    Setting("wish_confirm_days", 7, 1, 90),
    Setting("wishes_open_per_member_max", 5, 1, 100),
    Setting("wish_reward_points_max", 100, 0, 100_000),
    # Vouchers and settlement.
    Setting("voucher_days", 7, 1, 730),
    Setting("voucher_grace_hours", 72, 0, 720),
    Setting("voucher_reverse_minutes", 60, 0, 1440),
    Setting("voucher_reversals_per_day_max", 3, 0, 1000),
    Setting("voucher_code_seconds", 30, 10, 300),
    # Codes that do not change, on paper or typed: above so much the name is compared, and a member's day has a most (0: none).
    Setting("voucher_compare_fen", 1000, 0, 100_000_000),
    Setting("voucher_static_fen_per_day", 5000, 0, 100_000_000),
    # What is owed for vouchers used twice is paid from the member's points so many days after they were told (0: never by
    # itself), and so many points are left to them.
    Setting("voucher_owed_days", 7, 0, 90),
    Setting("voucher_owed_keep_points", 5, 0, 10_000),
    Setting("invalid_scans_max", 10, 1, 1000),
    Setting("invalid_scans_minutes", 10, 1, 1440),
    Setting("settlement_confirm_days", 5, 0, 60),
    # A new bank account of a shop gets nothing for so many days.
    Setting("settlement_freeze_days", 3, 0, 60),
    # The watch over uses: a rule whose figure is 0 is off.
    Setting("watch_hours_grace_minutes", 15, 0, 720),
    Setting("watch_seconds_between", 5, 0, 3600),
    Setting("watch_member_uses_per_day", 3, 0, 1000),
    Setting("watch_sigmas", 4, 0, 100),
    Setting("watch_typed_fen_per_day", 5000, 0, 100_000_000),
    Setting("watch_unread_in_a_row", 20, 0, 200),
    Setting("watch_calls_per_mille", 10, 0, 1000),
    # Without a network: what one phone may take of roaming vouchers before it must be heard, and what the fund may lose in a month.
    # 72 hours are the most that the lease's row and the days of grace allow.
    Setting("offline_vouchers_max", 20, 0, 1000),
    Setting("offline_fen_max", 30_000, 0, 10_000_000),
    Setting("offline_voucher_fen_max", 3000, 0, 100_000),
    Setting("offline_soft_hours", 24, 0, 72),
    Setting("offline_hard_hours", 72, 1, 72),
    Setting("offline_lease_hours", 72, 1, 72),
    Setting("offline_loss_millionths", 1000, 0, 1_000_000),
    # Repairs: how long the warranty runs, how many of a price's five pieces wait for its end, and how long a job has its voucher.
    Setting("repair_warranty_days", 7, 0, 60),
    Setting("repair_warranty_fifths", 1, 0, 4),
    Setting("repair_job_days", 14, 1, 60),
    # Between communities: the most that one partner may be owed, and that one member may send in a month.
    Setting("clearing_open_minutes_max", 60_000, 0, 100_000_000),
    Setting("clearing_open_points_max", 1000, 0, 10_000_000),
    Setting("clearing_member_minutes_per_month_max", 1200, 0, 100_000),
    Setting("clearing_member_points_per_month_max", 100, 0, 100_000),
    # Neighbour exchange: minutes of one, minutes of two people in a month, and the days after which time alone moves it on.
    Setting("exchange_minutes_max", 480, 1, 10_000),
    Setting("exchange_pair_minutes_per_month_max", 600, 0, 100_000),
    Setting("exchange_gift_minutes_max", 300, 1, 10_000),
    Setting("exchange_gift_minutes_per_month_max", 600, 0, 100_000),
    Setting("exchange_listing_days", 60, 1, 365),
    Setting("exchange_answer_days", 7, 1, 90),
    Setting("exchange_done_days", 30, 1, 365),
    Setting("exchange_confirm_days", 7, 1, 90),
    # The fund: how late a sale may arrive, and how long the shop itself takes a line back.
    Setting("fund_sale_days_back_max", 31, 0, 366),
    Setting("fund_correction_days_max", 7, 0, 366),
    # Up to so much, one person at the desk takes a donation in; above it, two.
    Setting("fund_donation_one_person_fen_max", 100_000, 0, 100_000_000),
    # The office's second factor: from the day of a 1 nobody there moves value or gives a right without one, and a code is good for
    # so many hours in a session. Whoever has enrolled is asked in any case.
    Setting("second_factor_required", 0, 0, 1),
    Setting("second_factor_hours", 12, 1, 72),
)

SETTINGS: dict[str, Setting] = {item.name: item for item in _ALL}
