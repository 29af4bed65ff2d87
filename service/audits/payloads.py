"""What crosses the wire about samples, findings and approvals."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

import msgspec

from service.audits.rules import JOURNALS_MAX, NOTE_LENGTH_MAX, Oddity, Strata, Verdict


class DrawIn(msgspec.Struct):
    """What to draw from, how many, and how to spread it. The seed is not for anybody to choose."""

    since: date
    until: date
    wanted: Annotated[int, msgspec.Meta(ge=1, le=JOURNALS_MAX)] = 20
    strata: Strata = Strata.NONE


class FindingIn(msgspec.Struct):
    """What was found of one journal; a question and a fault need words."""

    verdict: Verdict
    note: Annotated[str, msgspec.Meta(max_length=NOTE_LENGTH_MAX)] = ""


class FindingOut(msgspec.Struct):
    """What was noted, by whom and when."""

    finding_id: UUID
    journal_id: int
    verdict: Verdict
    note: str
    found_by: UUID
    found_at: datetime


class SampleOut(msgspec.Struct):
    """One draw: with seed and bounds whoever has the book draws the same journals again (`service.audits.rules`)."""

    sample_id: UUID
    seed: str
    since: date
    until: date
    first_seq: int
    last_seq: int
    wanted: int
    strata: Strata
    looked_up: int
    drawn_by: UUID
    drawn_at: datetime
    drawn: int
    noted: int
    faults: int


class SamplesOut(msgspec.Struct):
    """A page of samples, the newest first."""

    items: list[SampleOut]
    next: str | None


class FactOut(msgspec.Struct):
    """One thing that was written down about a paper."""

    label: str
    text: str


class DeedOut(msgspec.Struct):
    """One line of the log about a paper."""

    at: datetime
    action: str
    actor_id: UUID | None


class ItemOut(msgspec.Struct):
    """One journal of a sample with its papers and findings."""

    place: int
    journal_id: int
    stratum: str
    reference: str
    reason: str
    posted_at: datetime
    facts: list[FactOut]
    deeds: list[DeedOut]
    findings: list[FindingOut]


class SampleDetailOut(msgspec.Struct):
    """A sample with everything in it."""

    sample: SampleOut
    items: list[ItemOut]


class FlagOut(msgspec.Struct):
    """One decision with the same person (`is_self`) or the same household on both sides; `role` is the hand's part in it."""

    kind: str
    thing_id: str
    at: datetime
    decider: UUID
    role: str
    hand: UUID
    is_self: bool
    text: str
    url: str


class CountsOut(msgspec.Struct):
    """How one person decided one kind of thing; `oddities` are what stands out beside the others, each a question."""

    kind: str
    decider: UUID
    agreed: int
    refused: int
    refused_percent: int
    seconds: int
    oddities: list[Oddity]


class ApprovalsOut(msgspec.Struct):
    """Who approved what in a period."""

    since: date
    until: date
    flags: list[FlagOut]
    is_cut: bool
    counts: list[CountsOut]
