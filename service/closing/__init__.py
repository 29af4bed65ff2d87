"""Closing of months and years.

Finance sees what is still open up to a day, proposes to close the books up to it, and a second person confirms. From
then on nothing takes effect before it any more; mistakes found later are corrected in the open period. A year is closed
the same way after the books have proved themselves; then its book is drawn up from the ledger: for every account what it
opened with, received, gave and closed with, by the days on which things took effect. Nothing is zeroed and the book goes on:
what a year closed with is what the next one opens with. The drawn-up year is append-only and can be held against
the ledger at any time.
"""

from service.closing.drawing import differences as year_differences
from service.closing.files import csv_pieces as year_pieces
from service.closing.files import file_name as year_file_name

__all__ = ["year_differences", "year_file_name", "year_pieces"]
