"""Faces of redemption: the offers that points are good for, a member's vouchers, the shop's counter, and what shops are owed.

A resident takes an offer, shows a code that changes, and the shop scans it: one request, one call of the database, one
full-screen answer. People without a phone get the same on paper, from staff whose name stands beside theirs. Finance
closes a shop's uses into a statement, a second person approves it, and the bank's reference ends it.
"""
