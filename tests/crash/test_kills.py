"""The ledger alone under kill -9: nothing that was acknowledged is lost, nothing stands twice, the seals hold."""

from pathlib import Path

import pytest

from tests.crash.siege import VICTIMS, Siege

pytestmark = pytest.mark.skipif(not Path("/proc/self").exists(), reason="asks the Linux kernel about processes")


def test_a_few_kills(tmp_path: Path) -> None:
    outcome = Siege(tmp_path, seed=2).run(3, seconds_between=(0.1, 0.4))

    assert outcome.is_sound, outcome
    assert outcome.acknowledged > 100
    assert sum(outcome.kills.values()) == 3


@pytest.mark.slow
def test_every_victim_dies(tmp_path: Path) -> None:
    outcome = Siege(tmp_path, seed=3).run(20)

    assert outcome.is_sound, outcome
    assert set(outcome.kills) == set(VICTIMS)
    assert outcome.unknown_resolved > 0
