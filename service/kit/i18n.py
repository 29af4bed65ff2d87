"""Two languages. Copy is written in Chinese and is its own key; coded messages (`refusal.…`, `state.…`) have both catalogues.

The catalogues are ordinary gettext .po files, one per slice and language, read and merged at start; nothing is compiled.
"""

import io
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import Literal

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import Translations

Locale = Literal["zh-CN", "en"]
LOCALES: tuple[Locale, ...] = ("zh-CN", "en")
FOLDERS: dict[Locale, str] = {"zh-CN": "zh_CN", "en": "en"}
CATALOGUES = Path(__file__).resolve().parent.parent / "locale"

current_locale: ContextVar[Locale] = ContextVar("current_locale", default="zh-CN")


@cache
def catalogue(locale: Locale) -> Translations:
    """All messages of one language, merged from the slices' files."""
    merged = Translations()
    for file in sorted((CATALOGUES / FOLDERS[locale]).glob("*.po")):
        with file.open("rb") as source:
            messages = read_po(source, locale=FOLDERS[locale])
        compiled = io.BytesIO()
        write_mo(compiled, messages)
        compiled.seek(0)
        merged.merge(Translations(compiled))
    return merged


def translate(message: str, /, **values: object) -> str:
    """The message in the reader's language, with {named} values filled in."""
    text = catalogue(current_locale.get()).ugettext(message)
    return text.format(**values) if values else text


def _(message: str) -> str:
    """The message in the reader's language; the extractor finds copy by this name."""
    return catalogue(current_locale.get()).ugettext(message)


def ngettext(singular: str, plural: str, number: int) -> str:
    """The message for a count in the reader's language."""
    return catalogue(current_locale.get()).ungettext(singular, plural, number)


def negotiate(accept_language: str | None, chosen: str | None) -> Locale:
    """The language a person chose, else the one of ours that the browser likes best, else Chinese."""
    for locale in LOCALES:
        if chosen == locale:
            return locale
    wished: list[tuple[float, Locale]] = []
    for part in (accept_language or "").split(","):
        tag, _, weight = part.lower().partition(";q=")
        spoken: Locale | None = (
            "zh-CN" if tag.strip().startswith("zh") else "en" if tag.strip().startswith("en") else None
        )
        try:
            quality = float(weight or "1")
        except ValueError:
            continue
        if spoken is not None and quality > 0:
            wished.append((-quality, spoken))
    # Sorting is stable: among equals the first one named wins.
    return min(wished, key=lambda wish: wish[0])[1] if wished else "zh-CN"
