"""Opening balances: an existing time bank brings what its members have.

A clerk uploads a sheet with the day of the change-over: card number, minutes, points, and if it is wanted the figure of the
service record, each row with its source. Nothing is posted by that; every row is compared with who is here and with what was
brought before, and the totals stand beside those of the books. The clerk proposes, somebody else approves, and the worker
posts: a few hundred journals at a time, each once for ever under its own reference, all taking effect at the beginning of
that day. A person's opening balance is brought once: the same sheet again brings nothing. What was brought can be taken back,
person by person, from those who have not spent any of it.
"""
