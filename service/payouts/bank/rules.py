"""What a line of the bank's list may mean, what may be done with it, and every no; pure."""

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from service.kit.refusals import Conflict, NotFound
from service.kit.sheets.refusals import FileRefused

LINES_MAX = 1_000
"""One confirmation books them in one transaction, which holds the book's head for about a millisecond each."""
LOOK_BACK_DAYS = 400
"""Without a mark a line is compared with files no older than this."""
HEADING_LENGTH_MAX = 40
REASON_LENGTH_MAX = 100


class Column(StrEnum):
    """What a column of the bank's list may be, named as our template has it."""

    MARK = "附言"
    AMOUNT = "金额"
    BACK = "退回金额"
    ACCOUNT = "收款账号"
    HOLDER = "收款人户名"
    REFERENCE = "流水号"
    DAY = "日期"
    STATUS = "状态"
    REASON = "退回原因"


class Direction(StrEnum):
    """Paid to a shop, or sent back by the bank."""

    PAID = "paid"
    RETURNED = "returned"


class Verdict(StrEnum):
    """What a line seems to be."""

    MARK = "mark"
    """Paid, by the mark of a file's line, with its amount."""
    ACCOUNT = "account"
    """Paid, by amount and account, where one line alone fits."""
    RETURNED = "returned"
    """Sent back, by either."""
    NOTED = "noted"
    """Recorded at the statement by hand before: nothing is posted, the line is tied to it."""
    DOUBLED = "doubled"
    """The bank names a payment that another line or record has already."""
    DIFFERS = "differs"
    """The mark is ours; amount or account is not."""
    VOID = "void"
    """The mark is of a file that is void: it was sent all the same."""
    UNCLEAR = "unclear"
    """More than one fits."""
    UNKNOWN = "unknown"
    """Nothing fits."""
    KNOWN = "known"
    """This very line was in an earlier list."""
    ERROR = "error"
    """The line cannot be read. It waits like any other, and again with each list that brings it."""


CERTAIN = (Verdict.MARK, Verdict.ACCOUNT, Verdict.RETURNED, Verdict.NOTED)


class Outcome(StrEnum):
    """What became of a line when its list was confirmed."""

    BOOKED = "booked"
    OPEN = "open"
    """Waits for a decision by hand."""
    ASIDE = "aside"
    """Set aside by hand, with a reason."""
    SKIPPED = "skipped"
    """Known from an earlier list."""


COUNTS = (Outcome.BOOKED, Outcome.OPEN, Outcome.ASIDE)
"""A line with one of these is the one that counts, whatever other list has it too."""


class ListState(StrEnum):
    """Checked and nothing booked; booked."""

    CHECKED = "checked"
    BOOKED = "booked"


class ListNotFound(NotFound):
    """No such list in this community."""

    code: ClassVar[str] = "payouts.list_not_found"


class LineNotFound(NotFound):
    """No such line in this list."""

    code: ClassVar[str] = "payouts.line_not_found"


class HeadingsUnknown(FileRefused):
    """None of the first rows has the headings that this community expects of its bank."""

    code: ClassVar[str] = "payouts.headings_unknown"


class ListBooked(Conflict):
    """Somebody else confirmed this list."""

    code: ClassVar[str] = "payouts.list_booked"


class LineDecided(Conflict):
    """Nothing is left to decide about this line, or its list is not confirmed yet."""

    code: ClassVar[str] = "payouts.line_decided"


class LineUnread(Conflict):
    """A line that could not be read has no amount to book: it is set aside, and what it says is noted at the statement."""

    code: ClassVar[str] = "payouts.line_unread"


class ColumnsChanged(Conflict):
    """Somebody else changed the columns since they were read."""

    code: ClassVar[str] = "payouts.columns_changed"


@dataclass(eq=False)
class HeadingTwice(Conflict):
    """Two columns are to be found under the same heading."""

    code: ClassVar[str] = "payouts.heading_twice"
    heading: str
