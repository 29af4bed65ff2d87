"""The dated settings as the office sees and changes them.

Every rate, cap and term is a line with a day from which it holds (`service.communities`). Here staff read what held on
any day and who set it, compare two days, and change it: with a reason, from a day on that has not begun where value
depends on it, and by two people then. Until that day has come a change can be taken back.
"""
