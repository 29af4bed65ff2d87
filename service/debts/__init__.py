"""Debt by policy: what happens when something was credited wrongly and is spent by the time it is found.

A member's points never fall below zero by anything they do. Two of the office may allow one account to go below zero by a
correction, up to a limit; then the wrong posting is undone, and whatever the person earns makes the debt good first. Open
debts stand on a page with their age. What nobody will ever make good is written off, by two people as well, and the limit
goes with it.
"""
