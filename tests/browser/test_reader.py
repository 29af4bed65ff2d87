"""The scanner's own reader on the frames of a cheap, tilted camera."""

import random
import shutil

import pytest

import redemption
from bench.codes import ORIGIN, kinds
from bench.decode import drawn, told

pytestmark = [pytest.mark.slow, pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")]
FRAMES_A_SECOND = 4


@pytest.mark.parametrize("letter", ["R", "S"])
def test_five_pixels_of_the_camera_for_a_module_are_enough(letter: str) -> None:
    """Alone the decoder takes half to three quarters of these, for it loses its way where the phone is tilted."""
    [(code, ecc)] = [(code, ecc) for name, code, ecc in kinds() if name.split()[1][0] == letter]
    text = redemption.code_url(ORIGIN, code)
    picture, modules = drawn(text, ecc)
    answers = told(picture, 5 * modules, 10, FRAMES_A_SECOND, random.Random(11), "reader")
    is_read = [each["text"] == text for each in answers]
    assert {each["text"] for each in answers} <= {text, None}
    assert sum(is_read) >= 0.85 * len(is_read)
    seconds = [any(is_read[at : at + FRAMES_A_SECOND]) for at in range(0, len(is_read), FRAMES_A_SECOND)]
    assert sum(seconds) >= 0.9 * len(seconds)
