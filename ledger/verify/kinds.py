"""How a check is written: one query, and the ways in which one of its rows can be wrong."""

from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Fault:
    """The first row that is wrong in one way: where it is, and what it says against what it should say."""

    kind: str
    book: int
    place: str
    detail: str


class Kind(NamedTuple):
    """One way in which a row can be wrong, as SQL over the row `r`."""

    name: str
    wrong: str
    place: str
    detail: str


def first_of_each(rows: str, *kinds: Kind) -> str:
    """From `rows`, which have community_id and place_no, the first that is wrong in each way.

    What is wrong, and what to say, is put together for the rows in which anything is, not for the millions without.
    """
    any_wrong = " OR ".join(f"({kind.wrong})" for kind in kinds)
    wrong = ", ".join(f"('{kind.name}', {kind.wrong})" for kind in kinds)
    places = " ".join(f"WHEN '{kind.name}' THEN {kind.place}" for kind in kinds)
    details = " ".join(f"WHEN '{kind.name}' THEN {kind.detail}" for kind in kinds)
    return f"""
    SELECT DISTINCT ON (f.kind) f.kind, r.community_id, CASE f.kind {places} END, CASE f.kind {details} END
      FROM (SELECT * FROM ({rows}) r WHERE {any_wrong}) r
     CROSS JOIN LATERAL (VALUES {wrong}) f(kind, wrong)
     WHERE f.wrong
     ORDER BY f.kind, r.community_id, r.place_no
    """  # noqa: S608  (all of it stands in this file)
