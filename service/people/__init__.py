"""The staff's pages about people and organisations: who is here, what they may do, how they get in.

Nothing of its own is stored: people and roles belong to `identity`, organisations to `communities`, hours to `records`,
balances to the ledger. What this slice adds are the rules of the desk: contact data is opened with a reason and every
look is written down, nobody but an administrator hands a code to somebody of the office, and a role that acts for a shop
or a team names it.
"""
