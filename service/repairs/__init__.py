"""Repair orders: reported, given to a repairer, quoted from the dated price list, agreed to, done, and accepted by one scan.

Agreeing takes a voucher of five equal pieces and locks it for the job; the quote and every later price are change orders of it.
The resident shows its code, or the member card with the PIN, when the work is done: that redeems four pieces, or as many as the
settings say, and writes the repairer's minutes down. The rest is the warranty: it stays locked for some days, and then the team has
it too, unless two of the office give it back.
"""
