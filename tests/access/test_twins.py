"""Whatever a page can do, the API can, for the same people: held against a table that people read, `twins.txt`."""

from pathlib import Path

from tests.access.test_routes import table

TWINS = Path(__file__).with_name("twins.txt")


def twins() -> dict[str, tuple[str, str] | None]:
    """Page → method and path of its twin, or None where the table says why there is none."""
    found: dict[str, tuple[str, str] | None] = {}
    for line in TWINS.read_text().splitlines():
        words = line.split("#")[0].split()
        if not words:
            continue
        assert words[0] not in found, f"{words[0]} stands there twice"
        assert len(words) > 2, f"{words[0]} names neither a twin nor a reason"
        found[words[0]] = None if words[1] == "-" else (words[1], words[2])
    return found


def test_every_act_of_a_page_has_a_twin_or_a_reason() -> None:
    acts = {path for method, path in table() if method == "POST" and not path.startswith("/api/")}

    assert sorted(acts - set(twins())) == []
    assert sorted(set(twins()) - acts) == []


def test_every_twin_is_a_request_of_the_api() -> None:
    named = {twin for twin in twins().values() if twin is not None}

    assert sorted(twin for twin in named if not twin[1].startswith("/api/")) == []
    assert sorted(named - set(table())) == []


def test_whoever_may_act_on_the_page_may_ask_the_api() -> None:
    may = table()
    kept_out = []
    for page, twin in twins().items():
        if twin is None:
            continue
        on_page, by_api = may["POST", page], may[twin]
        # `database` is the scan, whose one SQL function knows the same people by itself.
        if by_api in ("public", "database") or (by_api == "signed_in" and on_page != "public"):
            continue
        if on_page == "signed_in" or not set(on_page.split()) <= set(by_api.split()):
            kept_out.append(f"{page}: {on_page}, but {twin[1]}: {by_api}")

    assert kept_out == []
