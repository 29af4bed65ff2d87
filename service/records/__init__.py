"""The service record of a life: one row per confirmed service, written in the transaction that posts what it earned.

服务时长 is the sum of these rows. It never falls when coins or points are spent, it never expires, and certificates and
stars read it. A mistake is corrected by a row with the opposite minutes, linked to the first.
"""

from service.records.actions import Credited, correct_record, correct_records, record_services
from service.records.carrying import Carried, carry_over, take_back_carried
from service.records.planning import Planned, Service, plan_services
from service.records.queries import (
    RecordLine,
    countable_minutes,
    minutes_by_member,
    record_lines,
    record_minutes,
)
from service.records.rules import (
    RecordAlreadyCorrected,
    RecordKind,
    RecordNotFound,
    ServiceClass,
    TimeTaken,
    earned_points,
    stars,
)
from service.records.times import Span, Taken, taken_times, time_is_taken

__all__ = [
    "Carried",
    "Credited",
    "Planned",
    "RecordAlreadyCorrected",
    "RecordKind",
    "RecordLine",
    "RecordNotFound",
    "Service",
    "ServiceClass",
    "Span",
    "Taken",
    "TimeTaken",
    "carry_over",
    "correct_record",
    "correct_records",
    "countable_minutes",
    "earned_points",
    "minutes_by_member",
    "plan_services",
    "record_lines",
    "record_minutes",
    "record_services",
    "stars",
    "take_back_carried",
    "taken_times",
    "time_is_taken",
]
