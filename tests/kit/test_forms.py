"""Forms of browsers, read into structs: every type, and a code for each field that cannot be read."""

from collections.abc import Iterator
from typing import Any

import pytest

from service.kit.i18n import catalogue
from tests.cast import Client, Town
from tests.db import Database, Steward

pytestmark = pytest.mark.anyio
HTML = {"accept": "text/html"}


@pytest.fixture(scope="module")
def town_database(town_template: tuple[Town, Steward]) -> Iterator[Database]:
    """These tests write nothing, so they share one copy of the town."""
    with town_template[1].clone() as database:
        yield database


async def _post(anon: Client, **fields: Any) -> Any:
    return await anon.post("/api/probe/form", data={"text": "好天气", **fields})


async def test_every_type_is_read(anon: Client) -> None:
    answer = await _post(
        anon,
        note=" 两行\r\n字 ",
        number="42",
        big=str(2**63 - 1),
        day="2026-11-22",
        clock="09:05",
        moment="2026-11-22T10:00",
        fruit="pear",
        id="0190d3a0-7e2b-7000-8000-000000000001",
        ticked="1",
        many=["a", "b"],
        numbers=["1", "2"],
        **{"other-name": "x"},
    )

    assert answer.status_code == 201
    assert answer.json() == {
        "text": "好天气",
        "note": "两行\n字",
        "number": 42,
        "big": 2**63 - 1,
        "day": "2026-11-22",
        "clock": "09:05:00",
        "moment": "2026-11-22T10:00:00+08:00",
        "fruit": "pear",
        "id": "0190d3a0-7e2b-7000-8000-000000000001",
        "ticked": True,
        "many": ["a", "b"],
        "numbers": [1, 2],
        "file": None,
        "other-name": "x",
    }


async def test_an_empty_input_counts_as_not_given(anon: Client) -> None:
    answer = await _post(anon, note="  ", number="", day="", fruit="", many=["", "a"])

    assert (answer.json()["note"], answer.json()["number"], answer.json()["many"]) == (None, None, ["a"])


@pytest.mark.parametrize("value", ["0", "false", "off", "no"])
async def test_a_box_may_say_no_in_words(anon: Client, value: str) -> None:
    assert (await _post(anon, ticked=value)).json()["ticked"] is False


async def test_a_moment_with_a_zone_keeps_it(anon: Client) -> None:
    assert (await _post(anon, moment="2026-11-22T10:00:00Z")).json()["moment"] == "2026-11-22T10:00:00Z"


async def test_a_file_is_read_and_an_empty_one_is_not_given(anon: Client) -> None:
    given = await anon.post("/api/probe/form", data={"text": "好天气"}, files={"file": ("a.txt", b"inside")})
    absent = await anon.post("/api/probe/form", data={"text": "好天气"}, files={"file": ("", b"")})

    assert given.json()["file"] == "inside"
    assert absent.status_code == 201
    assert absent.json()["file"] in (None, "")


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("text", "", "required"),
        ("text", "一", "too_short"),
        ("text", "一二三四五六", "too_long"),
        ("text", "a\x00b", "text"),
        ("note", "a\x00b", "text"),
        ("many", ["a", "b\x00"], "text"),
        ("number", "many", "number"),
        ("number", "-1", "number"),
        ("number", "1.5", "number"),
        ("big", str(2**63), "number"),
        ("big", str(-(2**63) - 1), "number"),
        ("big", "9" * 5000, "number"),
        ("day", "2026-02-30", "date"),
        ("day", "22/11/2026", "date"),
        ("clock", "25:00", "time"),
        ("moment", "tomorrow", "date"),
        ("fruit", "plum", "choice"),
        ("id", "1", "choice"),
        ("numbers", ["1", "x"], "number"),
        ("numbers", ["1", str(2**63)], "number"),
    ],
)
async def test_what_cannot_be_read_is_named_with_its_field(anon: Client, field: str, value: Any, code: str) -> None:
    answer = await _post(anon, **{field: value})

    assert answer.status_code == 422
    assert answer.json()["problems"] == {field: code}
    for locale in ("zh-CN", "en"):
        assert catalogue(locale).ugettext(f"problem.{code}") != f"problem.{code}"


async def test_a_file_where_a_text_belongs_and_the_other_way_round(anon: Client) -> None:
    as_file = await anon.post("/api/probe/form", data={"text": "好天气"}, files={"note": ("a.txt", b"x")})
    as_text = await _post(anon, file="not a file")

    assert as_file.status_code == 422
    assert as_file.json()["problems"] == {"note": "text"}
    assert as_text.json()["file"] is None


async def test_all_problems_are_said_at_once(anon: Client) -> None:
    answer = await anon.post("/api/probe/form", data={"number": "x", "day": "y"})

    assert answer.json()["problems"] == {"text": "required", "number": "number", "day": "date"}


async def test_a_body_that_is_no_form_is_refused(anon: Client) -> None:
    broken = {"content-type": "multipart/form-data; boundary=x"}
    answer = await anon.post("/api/probe/form", content=b"--x\r\nnonsense", headers=broken)

    assert answer.status_code == 422


async def test_a_refused_form_comes_back_with_what_was_typed(anon: Client) -> None:
    answer = await anon.post("/probe/form", data={"number": "<b>42", "next": "/me"}, headers=HTML)

    assert answer.status_code == 422
    assert "&lt;b&gt;42" in answer.text
    assert "<b>42" not in answer.text
