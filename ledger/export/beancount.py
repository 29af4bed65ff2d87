"""A book for Beancount: https://beancount.github.io/docs/beancount_language_syntax.html."""

from datetime import timedelta

from ledger.export.rows import Entry, Writer


def _text(value: object) -> str:
    escaped = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


class Beancount(Writer):
    """Journals become transactions; every account ends with a balance assertion of no tolerance."""

    def head(self) -> str:
        """Every account, opened on the first day on which anything took effect."""
        lines = [f'option "title" {_text(f"Linli book {self.extent.book}")}\n']
        if self.extent.first_at is not None:
            day = self.day(self.extent.first_at)
            for number, account in self.extent.accounts.items():
                lines.append(
                    f"{day} open {self.names[number]} {self.commodity(account.unit)}\n  code: {_text(account.code)}\n"
                )
        return "".join(lines)

    def entry(self, entry: Entry) -> str:
        """The narration is the reason, the link to our book the reference; nothing of the journal is left out."""
        lines = [f"\n{self.day(entry.effective_at)} * {_text(entry.reason)}\n"]
        facts = {
            "journal": entry.journal_id,
            "reference": entry.reference,
            "effective": entry.effective_at.isoformat(),
            "posted": entry.posted_at.isoformat(),
            "actor": entry.actor_id,
            "behalf": entry.on_behalf_of,
            "reverses": entry.reverses,
        }
        lines += [f"  {name}: {_text(value)}\n" for name, value in facts.items() if value is not None]
        for step in entry.transfers:
            self.remember(step)
            lines.append(f"  {self.names[step.debit]}  {self.amount(step.unit, -step.amount)}\n    seq: {step.seq}\n")
            if step.hold_id is not None:
                lines.append(f"    {step.kind}: {_text(step.hold_id)}\n")
            lines.append(f"  {self.names[step.credit]}  {self.amount(step.unit, step.amount)}\n")
        return "".join(lines)

    def foot(self) -> str:
        """The balances as the book states them, asserted on the morning after the last day."""
        if self.extent.last_at is None:
            return ""
        day = self.day(self.extent.last_at) + timedelta(days=1)
        lines = ["\n"]
        for number, account in self.extent.accounts.items():
            value, commodity = self.amount(account.unit, self.stated.get(number, 0)).split(" ")
            lines.append(f"{day} balance {self.names[number]}  {value} ~ 0 {commodity}\n")
        return "".join(lines)
