"""A book for hledger: https://hledger.org/hledger.html#journal."""

from ledger.export.rows import Entry, Writer


def _text(value: object) -> str:
    """A line's worth of text in which nothing begins a comment, a tag or a second field."""
    return str(value).replace(";", ",").replace("|", "/")


class Hledger(Writer):
    """Journals become transactions; a last one asserts every balance. Accounts and units are declared for --strict."""

    def head(self) -> str:
        """Units with their digits, and every account."""
        lines = [f"; Linli book {self.extent.book}\n"]
        for unit, scale in sorted(self.extent.scales.items()):
            lines.append(f"commodity 1.{'0' * scale} {self.commodity(unit)}\n")
        lines += [f"account {self.names[number]}\n" for number in self.extent.accounts]
        return "".join(lines)

    def entry(self, entry: Entry) -> str:
        """The code of the transaction is our journal's number, the reference and the people stand in its comment."""
        lines = [
            f"\n{self.day(entry.effective_at)} * ({entry.journal_id}) {_text(entry.reason)}\n",
            f"    ; reference {_text(entry.reference)}\n",
            f"    ; effective {entry.effective_at.isoformat()} posted {entry.posted_at.isoformat()}\n",
        ]
        if entry.actor_id is not None:
            lines.append(f"    ; actor {entry.actor_id}\n")
        if entry.on_behalf_of is not None:
            lines.append(f"    ; behalf {entry.on_behalf_of}\n")
        if entry.reverses is not None:
            lines.append(f"    ; reverses {entry.reverses}\n")
        for step in entry.transfers:
            self.remember(step)
            note = f"  ; seq {step.seq}" + (f" {step.kind} {step.hold_id}" if step.hold_id is not None else "")
            lines.append(f"    {self.names[step.debit]}  {self.amount(step.unit, -step.amount)}{note}\n")
            lines.append(f"    {self.names[step.credit]}  {self.amount(step.unit, step.amount)}\n")
        return "".join(lines)

    def foot(self) -> str:
        """One transaction that moves nothing and asserts everything."""
        if self.extent.last_at is None:
            return ""
        lines = [f"\n{self.day(self.extent.last_at)} * balances\n"]
        for number, account in self.extent.accounts.items():
            nothing, stated = self.amount(account.unit, 0), self.amount(account.unit, self.stated.get(number, 0))
            lines.append(f"    {self.names[number]}  {nothing} = {stated}\n")
        return "".join(lines)
