"""What the machine may ask for: drafts of journals, whose names and times are filled in when they are asked."""

from typing import Any

from hypothesis import strategies as st

import ledger
from ledger import Capture, ExpiryPolicy, ExpiryRule, Hold, Leg, Refund, Release

REFERENCES = 150
DAY = 24 * 60


def mostly(usual: st.SearchStrategy[Any], seldom: st.SearchStrategy[Any], *, one_in: int) -> st.SearchStrategy[Any]:
    """The usual, and once in a while the other."""
    return st.integers(1, one_in).flatmap(lambda dice: seldom if dice == one_in else usual)


amounts = mostly(st.integers(1, 60), st.sampled_from((400, 0, -1, ledger.AMOUNT_MAX + 1)), one_in=15)
units = mostly(st.sampled_from(("point", "point", "point", "minute")), st.just("yuan"), one_in=20)
common = st.sampled_from(("li", "li", "lin", "chen", "chen", "bakery", "jar", "issued"))
codes = mostly(common, st.sampled_from(("gone", "nobody", "escrow", "kiosk", "expired")), one_in=12)
reasons = st.sampled_from(("service", "gift", "gift"))
hours = mostly(st.integers(-60, 0), st.just(1), one_in=10)
places = st.integers(0, 30)
# Names that depend on what was asked before stand as numbers until they are asked: see Books.named.
captures = st.builds(Capture, places, codes, amounts)
releases = st.builds(Release, places, st.none() | amounts)
refunds = st.builds(Refund, places, codes, amounts)
holds = st.builds(Hold, places, codes, units, amounts, st.none() | st.integers(-2, 30))
steps = st.one_of(
    st.builds(Leg, st.just("issued"), common, units, amounts),
    st.builds(Leg, codes, codes, units, amounts),
    st.builds(Leg, codes, codes, units, amounts),
    st.builds(Leg, st.sampled_from(("li", "lin")), st.sampled_from(("expired", "bakery")), st.just("point"), amounts),
    holds,
    captures,
    releases,
    refunds,
)
returns = places.flatmap(
    lambda place: st.tuples(
        st.builds(Release, st.just(place)), st.builds(Refund, st.just(place), st.just("bakery"), amounts), holds
    ).map(list)
)
"""A use that is taken back: the rest and what was paid come home, and are put aside again."""
drafts = st.fixed_dictionaries(
    {
        "reference": mostly(st.integers(0, REFERENCES).map("r{}".format), st.sampled_from(("", "a\tb")), one_in=25),
        "reason": reasons,
        "steps": mostly(st.lists(steps, min_size=1, max_size=3), st.just([]) | returns, one_in=10),
        "effective": st.none() | hours,
        "original": mostly(st.none(), places, one_in=5),
    }
)
batches = st.lists(drafts, min_size=1, max_size=6)
shifts = mostly(st.integers(-90, 300), st.sampled_from((9 * DAY, 32 * DAY)), one_in=4)
"""Minutes by which the caller's clock moves; some callers' clocks are behind."""
policies = st.builds(
    ExpiryPolicy,
    mostly(st.just("li"), st.sampled_from(("chen", "bakery", "jar", "esc")), one_in=8),
    st.sampled_from(ExpiryRule),
    st.sampled_from((1, 1, 2, 12)),
    st.sampled_from((0, 20)),
)
