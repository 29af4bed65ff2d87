"""Seals of the books: every posted transfer in a tree that only grows, signed once a day, and shown to everybody.

The worker reads new transfers into the tree each minute and does their arithmetic again; it seals what is new once a
day; and it walks over what was sealed, so that a change is noticed without anybody asking. At the first difference it
raises an alarm and seals nothing more until somebody has looked. A member gets a receipt for an own entry; the seal
hangs on the notice board, and its page is public and names nobody.
"""

from service.seals.actions import catch_up, raise_alarm, seal_now

__all__ = ["catch_up", "raise_alarm", "seal_now"]
