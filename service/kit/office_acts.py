"""Which acts of the office ask for the second factor, read from the table that people wrote: `office_acts.txt`."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

TABLE = Path(__file__).with_name("office_acts.txt")


@cache
def office_acts() -> Mapping[tuple[str, str], bool]:
    """Method and path of an act, and whether it is asked."""
    found: dict[tuple[str, str], bool] = {}
    for line in TABLE.read_text("utf-8").splitlines():
        words = line.split("#")[0].split()
        if words:
            found[words[0], words[1]] = words[2] == "asked"
    return found


def asks_for_a_code(method: str, path: str, *, is_the_offices: bool) -> bool:
    """Whether an act is asked. One of the office's own that nobody has decided about is."""
    return office_acts().get((method, path), is_the_offices)
