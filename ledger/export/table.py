"""A book as comma-separated values: one row for every transfer, for spreadsheets and data tools."""

import csv
import io

from ledger.export.rows import Entry, Writer

COLUMNS = (
    *("seq", "journal_id", "reference", "reason", "kind", "unit", "amount"),
    *("debit", "debit_balance", "credit", "credit_balance"),
    *("effective_at", "posted_at", "actor_id", "on_behalf_of", "hold_id", "reverses"),
)
_STARTS_FORMULA = tuple("=+-@\t\r＝＋－＠")
"""Full-width forms as well: some spreadsheets fold those."""


def _safe(value: str) -> str:
    """Text that a spreadsheet shows and does not run."""
    return f"'{value}" if value.startswith(_STARTS_FORMULA) else value


class Table(Writer):
    """Amounts are integers in the unit's smallest part, as the ledger keeps them; accounts are their codes."""

    def head(self) -> str:
        """The byte order mark, without which a spreadsheet guesses the wrong encoding, and the columns."""
        return "\ufeff" + ",".join(COLUMNS) + "\r\n"

    def entry(self, entry: Entry) -> str:
        """A row for every transfer of the journal."""
        rows = io.StringIO()
        writer = csv.writer(rows)
        journal = (entry.journal_id, _safe(entry.reference), _safe(entry.reason))
        people = (entry.actor_id, entry.on_behalf_of)
        times = (entry.effective_at.isoformat(), entry.posted_at.isoformat())
        accounts = self.extent.accounts
        for step in entry.transfers:
            debit = (_safe(accounts[step.debit].code), step.debit_balance)
            credit = (_safe(accounts[step.credit].code), step.credit_balance)
            what = (step.kind, step.unit, step.amount)
            writer.writerow((step.seq, *journal, *what, *debit, *credit, *times, *people, step.hold_id, entry.reverses))
        return rows.getvalue()

    def foot(self) -> str:
        """Nothing: the last row says the last balances."""
        return ""
