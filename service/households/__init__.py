"""Household classes (彩虹网格) and what they entitle to: a foundation that prices and eligibility ask, and nobody else reads.

Which of seven classes a household is in is written down by one of the staff with its basis, agreed to by another, and holds
from the next day. It lies sealed, every look leaves a line, and it never leaves this slice: others learn by how many percent
something is cheaper for somebody today, or which opaque words an offer may ask for, and not why. Of three households and more they
learn sums by class.
"""

from service.households.queries import Discount, care_words, discount_for
from service.households.queries_counts import ClassCount, Job, counts_by_class
from service.households.rules import care_tag

__all__ = ["ClassCount", "Discount", "Job", "care_tag", "care_words", "counts_by_class", "discount_for"]
