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
    """The language a person chose, else the browser's first that we speak, else Chinese."""
    for locale in LOCALES:
        if chosen == locale:
            return locale
    for part in (accept_language or "").split(","):
        tag = part.split(";")[0].strip().lower()
        if tag.startswith("zh"):
            return "zh-CN"
        if tag.startswith("en"):
            return "en"
    return "zh-CN"
