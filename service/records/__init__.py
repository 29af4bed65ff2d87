"""The service record of a life: one row per confirmed service, written in the transaction that posts what it earned.

服务时长 is the sum of these rows. It never falls when coins or points are spent, it never expires, and certificates and
stars read it. A mistake is corrected by a row with the opposite minutes, linked to the first.
"""

from service.records.actions import Service, correct_record, record_services
from service.records.queries import RecordLine, earned_since, minutes_by_member, record_lines, record_minutes
from service.records.rules import (
    RecordAlreadyCorrected,
    RecordKind,
    RecordNotFound,
    ServiceClass,
    earned_points,
    stars,
)

__all__ = [
    "RecordAlreadyCorrected",
    "RecordKind",
    "RecordLine",
    "RecordNotFound",
    "Service",
    "ServiceClass",
    "correct_record",
    "earned_points",
    "earned_since",
    "minutes_by_member",
    "record_lines",
    "record_minutes",
    "record_services",
    "stars",
]
