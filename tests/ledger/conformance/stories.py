"""Stories: each line is one thing that is asked of the ledger, and what it says, through the front door alone.

At the beginning Li has 100 points. The bakery may owe without end, the jar takes 100 at most, `gone` is closed; Li and
Chen have accounts in minutes as well.

    pay li chen 5 [minute]  move 5, of points if nothing is said    hold 1 li 30 [@2]  put 30 of Li's aside as hold 1,
    capture 1 chen 10       pay 10 of hold 1 to Chen                                   until two hours from the beginning
    release 1 [10]          give back all that is left, or 10       a; b               steps of one journal, all or none
    undo [r]                turn the journal [r] round, wholly      undo [r]: a; b     or by these steps
    open kiosk [-5 50]      open an account, from -5 up to 50       close li           close an account
    expire                  give back holds that are over           shut +2            close the book up to +2
    has li 30, chen 5       the balances now                        passbook li 100 70 her balances, line by line
    had li 30 +2            what Li had just before +2

    [r] …   under the reference r       +3 …   asked three hours after the beginning       ^1 …   took effect at +1
    /2 …    in another book             # …    a word to the reader
"""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlmodel.ext.asyncio.session import AsyncSession

import ledger
from ledger import Capture, Hold, Journal, LedgerRefusal, Leg, Posted, Release, Step
from tests.db import Sessions
from tests.ledger import cast
from tests.ledger.cast import BOOK, LI, NOW, ZHAO, hold_id, issue

Story = Sequence[str]


def stories(told: str) -> dict[str, Story]:
    """The stories of a file by their names."""
    found: dict[str, Story] = {
        name: [line.partition(" # ")[0].strip() for line in story.splitlines() if line.strip()[0] != "#"]
        for name, story in re.findall(r"^(\S.*)\n((?:    .*\n)+)", told, re.MULTILINE)
    }
    assert len(found) == len(re.findall(r"^\S", told, re.MULTILINE)), "two stories have one name"
    return found


def hour(word: str) -> datetime:
    """So many hours after the beginning."""
    return NOW + timedelta(hours=float(word))


def step(text: str) -> Step:
    """One step of a journal."""
    match text.split():
        case ["pay", debit, credit, amount, *unit]:
            return Leg(debit, credit, "".join(unit) or "point", int(amount))
        case ["hold", number, account, amount, *until]:
            expires_at = hour(until[0][1:]) if until else None
            return Hold(hold_id(int(number)), account, "point", int(amount), expires_at)
        case ["capture", number, credit, amount]:
            return Capture(hold_id(int(number)), credit, int(amount))
        case ["release", number, *amount]:
            return Release(hold_id(int(number)), int(amount[0]) if amount else None)
    raise AssertionError(text)


def steps(text: str) -> tuple[Step, ...]:
    """The steps of a journal; none is a journal too."""
    return tuple(step(part) for part in text.split(";") if part.strip())


def said(verdict: Posted | LedgerRefusal, many: int) -> str:
    """A verdict in a word, and the step that met it when there was more than one."""
    if isinstance(verdict, Posted):
        return "again" if verdict.replayed else "ok"
    return verdict.code.removeprefix("ledger.") + (f":{verdict.step}" if many > 1 and verdict.step else "")


class Line:
    """One line: what is asked, where, when and under which reference."""

    def __init__(self, number: int, text: str) -> None:
        self.text, _, verdict = (part.strip() for part in text.partition(" = "))
        self.verdict, self.now, self.book = verdict, NOW, BOOK
        self.reference, self.effective_at = f"{number} {self.text}", None
        self.asked = self.text
        while self.asked[0] in "+[^/":
            word, _, self.asked = self.asked.partition(" ")
            match word[0]:
                case "+":
                    self.now = hour(word)
                case "^":
                    self.effective_at = hour(word[1:])
                case "/":
                    self.book = BOOK + int(word[1:])
                case _:
                    self.reference = word
        self.verb = self.asked.split()[0]

    @property
    def is_posting(self) -> bool:
        """Whether it is a journal that may stand in a batch."""
        return self.verb in {"pay", "hold", "capture", "release", "nothing"}

    @property
    def journal(self) -> Journal:
        """The journal it asks for."""
        named = steps("" if self.verb == "nothing" else self.asked)
        return Journal(self.reference, "service", named, ZHAO, LI, self.effective_at)


async def answer(session: AsyncSession, line: Line) -> str:  # noqa: PLR0911  (one for each verb)
    """What the ledger says to one line."""
    words = line.asked.split()
    try:
        match line.verb:
            case "undo":
                original, _, rest = line.asked.removeprefix("undo ").partition(":")
                await_one = await ledger.reverse(
                    session, line.book, reference=line.reference, original=original.strip(), reason="service",
                    legs=steps(rest) or None, actor_id=ZHAO, effective_at=line.effective_at, now=line.now,  # type: ignore[arg-type]
                )  # fmt: skip
                return said(await_one, 1)
            case "open":
                floor, ceiling = (None if word == "-" else int(word) for word in (words[2:] or ["0", "-"]))
                await ledger.open_account(
                    session, line.book, words[1], "point", floor=floor, ceiling=ceiling, now=line.now
                )
                return "ok"
            case "close":
                await ledger.close_account(session, line.book, words[1], "point", now=line.now)
                return "ok"
            case "shut":
                await ledger.close_period(session, line.book, until=hour(words[1]), actor_id=ZHAO, now=line.now)
                return "ok"
            case "expire":
                done = await ledger.expire(session, line.book, reason="expired", now=line.now)
                return (
                    " ".join(f"{each.hold_id.int - hold_id(0).int}:{said(each.verdict, 1)}" for each in done) or "none"
                )
        (verdict,) = await ledger.post_many(session, line.book, [line.journal], now=line.now)
        return said(verdict, len(line.journal.legs))
    except LedgerRefusal as refusal:
        return said(refusal, 1)


async def seen(session: AsyncSession, line: Line) -> str:
    """What a line that only looks finds, in the words of the line."""
    words = line.asked.split()
    match line.verb:
        case "has":
            pairs = [part.split() for part in line.asked.removeprefix("has ").split(",")]
            keys = [(name, *(rest[1:] or ["point"])) for name, *rest in pairs]
            found = await ledger.balances(session, line.book, keys)  # type: ignore[arg-type]
            told = ", ".join(
                " ".join([name, str(found[key]), *rest[1:]])  # type: ignore[index]
                for key, (name, *rest) in zip(keys, pairs, strict=True)
            )
            return f"has {told}"
        case "passbook":
            page = await ledger.statement(session, line.book, words[1], "point")
            return " ".join(["passbook", words[1], *(str(each.balance) for each in reversed(page.lines))])
        case "had":
            value = await ledger.balance_before(session, line.book, words[1], "point", hour(words[3]))
            return f"had {words[1]} {value} {words[3]}"
    raise AssertionError(line.asked)


async def play(sessions: Sessions, story: Story, *, batched: bool = False) -> None:
    """Ask line by line, or everything that can stand in one batch at once; at the end the books are proved."""
    lines = [Line(number, text) for number, text in enumerate(story)]
    for book in sorted({line.book for line in lines} | {BOOK}):
        async with sessions.begin() as session:
            if book != BOOK:
                await cast.found(session, book)
            await ledger.post(session, book, issue("start", amount=100), now=NOW - timedelta(hours=1))
    told: list[str] = []
    if batched:
        assert can_be_batched(story)
        async with sessions.begin() as session:
            journals = [line.journal for line in lines]
            verdicts = await ledger.post_many(session, BOOK, journals, now=lines[0].now)
        told = [said(verdict, len(each.legs)) for verdict, each in zip(verdicts, journals, strict=True)]
        assert told == [line.verdict for line in lines]
    else:
        for line in lines:
            async with sessions.begin() as session:
                if line.verb in {"has", "had", "passbook"}:
                    assert await seen(session, line) == line.asked
                else:
                    assert await answer(session, line) == line.verdict, line.text
    async with sessions.begin() as session:
        assert await ledger.verify(session) == []


def can_be_batched(story: Story) -> bool:
    """Whether all of it may be asked at once."""
    lines = [Line(number, text) for number, text in enumerate(story)]
    return all(line.is_posting and line.book == BOOK for line in lines) and len({line.now for line in lines}) == 1
