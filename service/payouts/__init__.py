"""How often each shop is settled, and the bank account that its money goes to.

Finance proposes an account, a second person agrees; after a change the shop is paid nothing for some days, so that whoever
wrote a false number down is noticed first. The number itself is sealed: lists show its last four digits, and each look at
the whole number is written into the log.
"""
