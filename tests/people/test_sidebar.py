"""The entry of the sidebar that is marked says where somebody is."""

import re

import pytest

from service.slices import manifests
from tests.architecture.sources import ROOT
from tests.cast import Client

HTML = {"accept": "text/html"}


@pytest.mark.parametrize(
    ("path", "label"),
    [("/desk", "待办"), ("/desk/cards", "代办兑换"), ("/desk/papers", "代办兑换"), ("/desk/repairs", "维修")],
)
async def test_the_page_marks_its_own_entry(wu: Client, path: str, label: str) -> None:
    page = (await wu.get(path, headers=HTML)).text
    [marked] = re.findall(r'<a href="[^"]*" aria-current="page">.*?<span class="grow">([^<]*)</span>', page)
    assert marked == label


def test_every_page_of_the_office_has_an_entry() -> None:
    places = {place for item in manifests() for entry in item.nav for place in (entry.url, *entry.also)} - {"/desk"}
    table = (ROOT / "tests/access/table.txt").read_text("utf-8")
    rooms = set(re.findall(r"^GET +(/desk/[a-z-]+)", table, re.MULTILINE))
    assert {
        room for room in rooms if not any(place == room or place.startswith(room + "/") for place in places)
    } == set()
