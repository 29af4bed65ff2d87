"""Codes as letters that people can read aloud, and the short code with its check character."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Final

ALPHABET: Final = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
"""Without 0, 1, I, L and O. There are 31 of them, a prime."""
SHORT_CODE_LENGTH: Final = 9
_VALUES: Final[Mapping[str, int]] = {character: value for value, character in enumerate(ALPHABET)}


def new_short_code() -> str:
    """Eight random characters and their check character."""
    body = "".join(secrets.choice(ALPHABET) for _ in range(SHORT_CODE_LENGTH - 1))
    return body + _check_character(body)


def is_short_code(code: str) -> bool:
    """Whether the check character fits: one wrong character, or two swapped ones, never pass."""
    if len(code) != SHORT_CODE_LENGTH or not is_spelled(code):
        return False
    return _check_character(code[:-1]) == code[-1]


def in_groups(code: str) -> str:
    """A code as people read it, in groups of four."""
    return " ".join(code[start : start + 4] for start in range(0, len(code), 4))


def is_spelled(code: str) -> bool:
    """Whether every character is of the alphabet."""
    return _VALUES.keys() >= set(code)


def letters(number: int, length: int) -> str:
    """A number in base 31, with leading twos up to the length."""
    characters = []
    for _ in range(length):
        number, value = divmod(number, len(ALPHABET))
        characters.append(ALPHABET[value])
    return "".join(reversed(characters))


def number_of(characters: str) -> int:
    """The number that `letters` was given."""
    number = 0
    for character in characters:
        number = number * len(ALPHABET) + _VALUES[character]
    return number


def _check_character(body: str) -> str:
    """31 is prime and the weights differ, so a swap or a slip always changes the sum."""
    total = sum(weight * _VALUES[character] for weight, character in enumerate(body, start=1))
    return ALPHABET[total % len(ALPHABET)]
