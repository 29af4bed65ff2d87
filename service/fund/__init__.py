"""The neighbourhood's fund (S4): caring merchants give a little of every sale, and everybody sees what becomes of it.

A merchant agrees to a rate from a day on: 1 or 10 fen of each sale, or so much of a thousand of what it takes in. Its sales
arrive day by day, typed, as a file or from its till, and each line is a journal of its own: what the merchant owes the
fund grows by the gift (`giver:<shop>` to `fund:promised`). Hundreds of lines of many shops go through the group door at
once; a line is told by the till's number, so that the same batch again changes nothing. A mistake is taken back by a line
that names it and says why.
"""
