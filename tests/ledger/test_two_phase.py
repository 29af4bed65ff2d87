"""Two-phase transfers as stories: each line is one journal and its verdict, in the order in which the ledger looks.

The cases are those that a two-phase ledger is judged by: pending, posted wholly or in part, voided, expired; the same
again, the same with other content, again after a failure; chains that stand or fall together. Where ours says it otherwise:
a hold may be captured many times, and a reference that was refused is free, because nothing stands under it.

    hold 1 li 30 @2        put 30 of Li's aside as hold 1, until two hours from the beginning
    capture 1 chen 10      pay 10 of hold 1 to Chen          release 1 [10]     give back all that is left, or 10
    pay li chen 5          move 5                            a; b               steps of one journal, all or none
    [r] …                  under the reference r             +3 …               three hours from the beginning
"""

import re
from datetime import timedelta

import pytest

import ledger
from ledger import Capture, Hold, Journal, LedgerRefusal, Leg, Posted, Release, Step
from tests.db import Sessions
from tests.ledger.cast import NOW, hold_id, issue, journal, post

TOLD = """
posted wholly
    hold 1 li 30 = ok
    capture 1 chen 30 = ok
    capture 1 chen 1 = hold_closed
    release 1 = hold_closed
posted in part, the rest given back
    hold 1 li 30 = ok
    capture 1 chen 10 = ok
    release 1 = ok
    release 1 = hold_closed
posted in many parts
    hold 1 li 30 = ok
    capture 1 chen 10 = ok
    capture 1 jar 10 = ok
    capture 1 li 10 = ok
posted beyond
    hold 1 li 30 = ok
    capture 1 chen 31 = hold_exceeded
    capture 1 chen 30 = ok
voided
    hold 1 li 30 = ok
    release 1 = ok
    capture 1 chen 1 = hold_closed
    release 1 = hold_closed
voided in part
    hold 1 li 30 = ok
    release 1 10 = ok
    capture 1 chen 21 = hold_exceeded
    capture 1 chen 20 = ok
voided beyond
    hold 1 li 30 = ok
    release 1 31 = hold_exceeded
never pending
    capture 1 chen 1 = hold_not_found
    release 1 = hold_not_found
pending twice
    hold 1 li 30 = ok
    hold 1 li 30 = hold_exists
    hold 1 chen 5 = hold_exists
pending again after it was closed
    hold 1 li 30 = ok
    release 1 = ok
    hold 1 li 30 = hold_exists
pending counts as spent
    hold 1 li 90 = ok
    pay li chen 11 = insufficient_balance
    pay li chen 10 = ok
pending does not fill the receiver
    pay li jar 60 = ok
    hold 1 li 40 = ok
    pay issued jar 40 = ok
    capture 1 jar 40 = over_ceiling
refused capture leaves the hold
    hold 1 li 30 = ok
    capture 1 gone 30 = account_closed
    capture 1 chen 30 = ok
zero
    hold 1 li 0 = amount_out_of_bounds
    hold 1 li 30 = ok
    capture 1 chen 0 = amount_out_of_bounds
    release 1 0 = amount_out_of_bounds
expires at the very moment
    hold 1 li 30 @2 = ok
    +1 capture 1 chen 10 = ok
    +2 capture 1 chen 10 = hold_expired
    +2 release 1 = ok
expired and closed is closed
    hold 1 li 30 @2 = ok
    capture 1 chen 30 = ok
    +3 capture 1 chen 1 = hold_closed
expired before exceeded
    hold 1 li 30 @2 = ok
    +3 capture 1 chen 31 = hold_expired
the clock of the book does not run back
    hold 1 li 30 @2 = ok
    +3 pay issued li 1 = ok
    capture 1 chen 1 = hold_expired
expired money is not free until given back
    hold 1 li 90 @2 = ok
    +3 pay li chen 50 = insufficient_balance
    +3 release 1 = ok
    +3 pay li chen 50 = ok
the same again
    [a] hold 1 li 30 = ok
    [a] hold 1 li 30 = again
    [b] capture 1 chen 9 = ok
    [b] capture 1 chen 9 = again
all that was left, again
    hold 1 li 30 = ok
    [a] release 1 = ok
    [a] release 1 = again
    [a] release 1 30 = again
the same after it expired
    [a] hold 1 li 30 @2 = ok
    [b] capture 1 chen 9 = ok
    +3 [b] capture 1 chen 9 = again
    +3 [a] hold 1 li 30 @2 = again
same reference, other amount
    [a] hold 1 li 30 = ok
    [a] hold 1 li 31 = reference_reused
same reference, other account
    [a] hold 1 li 30 = ok
    [a] hold 1 chen 30 = reference_reused
same reference, other hold
    [a] hold 1 li 30 = ok
    [a] hold 2 li 30 = reference_reused
same reference, other expiry
    [a] hold 1 li 30 @2 = ok
    [a] hold 1 li 30 @3 = reference_reused
    [a] hold 1 li 30 = reference_reused
same reference, other receiver
    hold 1 li 30 = ok
    [a] capture 1 chen 9 = ok
    [a] capture 1 jar 9 = reference_reused
same reference, other kind
    hold 1 li 30 = ok
    [a] capture 1 li 9 = ok
    [a] release 1 9 = reference_reused
other content comes before every other fault
    [a] hold 1 li 30 = ok
    [a] hold 1 nobody 0 = reference_reused
refused, then the same
    [a] pay chen li 5 = insufficient_balance
    pay li chen 5 = ok
    [a] pay chen li 5 = ok
    [a] pay chen li 5 = again
refused, then another
    [a] capture 1 chen 5 = hold_not_found
    [a] pay li chen 5 = ok
a chain
    pay li chen 50; pay chen jar 50; pay jar li 50 = ok
a chain breaks at its end
    pay li chen 50; pay chen jar 51 = insufficient_balance:2
    pay li chen 100 = ok
a chain breaks at its beginning
    pay chen li 1; pay li chen 1 = insufficient_balance:1
the first fault of a chain is told
    pay li chen 5; pay li li 5; pay li chen 0 = same_account:2
a chain sees its own steps
    pay li chen 50; pay chen jar 50 = ok
    pay chen jar 1 = insufficient_balance
a hold in a chain that breaks never was
    hold 1 li 30; pay chen li 1 = insufficient_balance:2
    release 1 = hold_not_found
    hold 1 li 30 = ok
a capture in a chain that breaks is taken back
    hold 1 li 30 = ok
    capture 1 chen 30; capture 1 chen 1 = hold_closed:2
    capture 1 chen 30 = ok
pending and posted in one chain
    hold 1 li 30; capture 1 chen 10; release 1 = ok
    capture 1 chen 1 = hold_closed
pending twice in one chain
    hold 1 li 30; hold 1 li 30 = hold_exists:2
shared out
    hold 1 li 30 = ok
    capture 1 chen 10; capture 1 jar 10; capture 1 bakery 10 = ok
shared out beyond
    hold 1 li 30 = ok
    capture 1 chen 10; capture 1 jar 21 = hold_exceeded:2
    release 1 30 = ok
"""
STORIES = {
    name: [line.strip() for line in story.splitlines()]
    for name, story in re.findall(r"^(\S.*)\n((?:    .*\n)+)", TOLD, re.MULTILINE)
}


def read(line: str) -> tuple[Journal, int, str]:
    """One line: the journal, the hour, the verdict."""
    asked, _, verdict = line.partition(" = ")
    words = asked.split()
    hour, reference = 0, asked
    while words[0][0] in "+[":
        word = words.pop(0)
        if word[0] == "+":
            hour = int(word)
        else:
            reference = word
    return journal(reference, *(step(part) for part in " ".join(words).split(";"))), hour, verdict.strip()


def step(text: str) -> Step:
    match text.split():
        case ["pay", debit, credit, amount]:
            return Leg(debit, credit, "point", int(amount))
        case ["hold", number, account, amount, *until]:
            expires_at = NOW + timedelta(hours=int(until[0][1:])) if until else None
            return Hold(hold_id(int(number)), account, "point", int(amount), expires_at)
        case ["capture", number, credit, amount]:
            return Capture(hold_id(int(number)), credit, int(amount))
        case ["release", number, *amount]:
            return Release(hold_id(int(number)), int(amount[0]) if amount else None)
    raise AssertionError(text)


def said(verdict: Posted | LedgerRefusal, steps: int) -> str:
    if isinstance(verdict, Posted):
        return "again" if verdict.replayed else "ok"
    return verdict.code.removeprefix("ledger.") + (f":{verdict.step}" if steps > 1 else "")


@pytest.mark.parametrize("batched", [False, True], ids=["one by one", "in one batch"])
@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES.keys())
async def test_the_story_goes_as_told(sessions: Sessions, book: int, story: list[str], *, batched: bool):
    await post(sessions, issue("start", amount=100))
    lines = [read(line) for line in story]
    # A line without a reference has one of its own, wherever the same words stand again.
    asked = [
        (each if each.reference.startswith("[") else Journal(f"{n} {each.reference}", *parts(each)), hour, verdict)
        for n, (each, hour, verdict) in enumerate(lines)
    ]
    hours = {hour for _, hour, _ in asked}
    async with sessions.begin() as session:
        if batched and len(hours) == 1:
            now = NOW + timedelta(hours=hours.pop())
            verdicts = await ledger.post_many(session, book, [each for each, _, _ in asked], now=now)
        else:
            verdicts = [
                (await ledger.post_many(session, book, [each], now=NOW + timedelta(hours=hour)))[0]
                for each, hour, _ in asked
            ]
        told = [said(verdict, len(each.legs)) for verdict, (each, _, _) in zip(verdicts, asked, strict=True)]
        assert told == [verdict for _, _, verdict in asked]
        assert await ledger.verify(session, book) == []


def parts(each: Journal) -> tuple[str, tuple[Step, ...], None]:
    return each.reason, each.legs, None
