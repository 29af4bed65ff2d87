"""The rules of scanning without a network, held to the cases that the browser is held to as well."""

import copy
import json
from typing import Any

import pytest

from redemption.offline import rules
from tests.vectors import offline

VECTORS: dict[str, Any] = json.loads(offline.HERE.read_text(encoding="utf-8"))


def changed(whole: Any, paths: dict[str, Any]) -> Any:
    """A copy with some places changed."""
    made = copy.deepcopy(whole)
    for path, value in paths.items():
        *inner, last = path.split(".")
        place = made
        for key in inner:
            place = place[key]
        place[last] = value
    return made


def named(kind: str) -> list[Any]:
    """The cases of one kind, each with its name."""
    return [pytest.param(case, id=case["name"]) for case in VECTORS[kind]]


def test_the_file_is_what_the_script_writes_and_long_enough():
    assert offline.HERE.read_text(encoding="utf-8") == offline.written(offline.everything())
    assert len(VECTORS["judge"]) >= 300
    assert len({case["name"] for case in VECTORS["judge"]}) == len(VECTORS["judge"])


def test_every_scan_is_judged_as_it_says():
    wrong = [
        case["name"]
        for case in VECTORS["judge"]
        if rules.judge(
            changed(VECTORS["state"], case["state"]), changed(VECTORS["scans"][case["scan"]], case["changed"])
        )
        != case["expect"]
    ]
    assert wrong == []


def test_every_reason_is_told_and_there_is_no_other():
    told = {case["expect"]["reason"] for case in VECTORS["judge"]}
    assert told == {*rules.ORDER, "accepted"}


@pytest.mark.parametrize("case", named("undo"))
def test_what_is_taken_back_on_the_phone(case: dict[str, Any]):
    good = changed(case["good"], case["changed"])
    assert rules.judge_undo(good["state"], good["undo"]) == case["expect"]


def test_every_reason_not_to_take_back_is_told():
    assert {case["expect"]["reason"] for case in VECTORS["undo"]} == {*rules.UNDO_ORDER, "accepted"}


@pytest.mark.parametrize("case", named("time"))
def test_what_time_a_phone_trusts(case: dict[str, Any]):
    assert rules.trusted_time(case["clock"]) == case["expect"]


@pytest.mark.parametrize("case", named("record"))
def test_a_record_its_text_and_its_hash(case: dict[str, Any]):
    assert rules.record_text(case["record"]) == case["text"]
    assert rules.record_hash(case["text"]) == case["hash"]


def test_the_chain_of_a_code():
    for case in VECTORS["chain"]:
        value = rules.chain_value(case["voucher"], bytes.fromhex(case["value"]), case["times"])
        assert value.hex() == case["expect"]


@pytest.mark.parametrize("case", named("log"))
def test_the_chain_of_records(case: dict[str, Any]):
    assert rules.log_faults(case["texts"], case["after_seq"], case["after_hash"]) == case["expect"]
