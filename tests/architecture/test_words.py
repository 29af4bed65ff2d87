"""Both languages are complete: every refusal, every coded message, every piece of copy."""

import ast
import dataclasses
import re
from collections.abc import Iterator
from functools import cache
from string import Formatter

from babel.messages.catalog import Catalog
from babel.messages.extract import extract
from babel.messages.pofile import read_po
from jinja2 import Environment
from jinja2.ext import babel_extract

import ledger
import redemption
from service.kit.i18n import CATALOGUES, FOLDERS, LOCALES
from service.kit.outbox import Fact
from service.kit.refusals import Refusal
from service.wishes.actions.steps import TOLD_AS
from tests.architecture.sources import ROOT, modules, python, subclasses

HAN = re.compile(r"[\u3400-\u9fff]")
CODED = re.compile(r"^[a-z]+(\.[A-Za-z_0-9]+)+$")
OWN_NAME = 'lang="zh-CN">中文<'
"""A language calls itself by its own name, whatever the reader's is."""
JINJA_OPTIONS = {"trimmed": "true", "silent": "false"}
# Arguments by these names are shown to people through translate(), see service.kit.manifest.
SHOWN_ARGUMENTS = {"label"}


@cache
def messages(locale: str) -> dict[str, str]:
    """All translations of one language by their message id; plural forms under their singular."""
    found: dict[str, str] = {}
    for file in sorted((CATALOGUES / locale).glob("*.po")):
        with file.open("rb") as source:
            catalogue: Catalog = read_po(source, locale=locale)
        for message in catalogue:
            key = message.id if isinstance(message.id, str) else message.id[0]
            text = message.string if isinstance(message.string, str) else "".join(message.string or ())
            if key:
                found[key] = text
    return found


def refusals() -> list[type]:
    """Every refusal somebody can get: the classes at the ends, and the ones in between that are raised themselves."""
    list(modules("service", "redemption", "ledger"))
    bases = (Refusal, ledger.LedgerRefusal, redemption.RedemptionRefusal)
    classes = {cls for base in bases for cls in subclasses(base)}
    ours = [cls for cls in classes if cls.__module__.split(".")[0] in {"service", "redemption", "ledger"}]
    return sorted((cls for cls in ours if "code" in vars(cls)), key=lambda cls: cls.__qualname__)


def test_every_refusal_has_its_sentence_in_both_languages() -> None:
    wanted = [f"refusal.{vars(cls)['code']}" for cls in refusals()]
    missing = [f"{locale}: {key}" for locale in FOLDERS.values() for key in wanted if not messages(locale).get(key)]

    assert missing == []


def deeds() -> set[str]:
    """Every action that an audit line may name, and every kind of thing."""
    found: set[str] = set()
    for source in python("service"):
        for call in (node for node in ast.walk(source.tree) if isinstance(node, ast.Call)):
            name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
            if name in ("record", "record_many"):
                inside = (node for arg in call.args[2:3] for node in ast.walk(arg) if isinstance(node, ast.Constant))
                found |= {
                    f"deed.{node.value}" for node in inside if isinstance(node.value, str) and CODED.match(node.value)
                }
                kinds = [part.value for part in call.keywords if part.arg == "kind"]
                found |= {
                    f"thing.{kind.value}"
                    for kind in kinds
                    if isinstance(kind, ast.Constant) and isinstance(kind.value, str)
                }
    return found | {f"deed.{action}" for action in TOLD_AS.values()}


def test_the_log_says_every_deed_in_both_languages() -> None:
    wanted = sorted(deeds())
    missing = [f"{locale}: {key}" for locale in FOLDERS.values() for key in wanted if not messages(locale).get(key)]

    assert len(wanted) > 80
    assert missing == []


def test_no_two_refusals_share_a_code() -> None:
    codes = [vars(cls)["code"] for cls in refusals()]

    assert sorted(code for code in set(codes) if codes.count(code) > 1) == []


def test_sentences_only_name_what_the_refusal_carries() -> None:
    wrong = []
    for cls in refusals():
        fields = {field.name for field in dataclasses.fields(cls)} if dataclasses.is_dataclass(cls) else set()
        for locale in FOLDERS.values():
            text = messages(locale).get(f"refusal.{vars(cls)['code']}", "")
            wrong += [f"{locale} {cls.__name__}: {{{name}}}" for name in _named(text) - fields]

    assert wrong == []


def _named(text: str) -> set[str]:
    return {(name or "").split(".")[0].split("[")[0] for _, name, _, _ in Formatter().parse(text) if name is not None}


def test_every_fact_has_its_sentence_in_both_languages() -> None:
    list(modules("service"))
    wanted = [f"fact.{cls.__name__}" for cls in subclasses(Fact) if cls.__module__.startswith("service.facts")]
    missing = [
        f"{locale}: {key}" for locale in FOLDERS.values() for key in sorted(wanted) if not messages(locale).get(key)
    ]

    assert missing == []


def test_coded_messages_stand_in_both_catalogues_with_the_same_values() -> None:
    chinese, english = (messages(FOLDERS[locale]) for locale in LOCALES)
    coded = {key for key in chinese.keys() | english.keys() if CODED.match(key)}
    one_sided = sorted(key for key in coded if not (chinese.get(key) and english.get(key)))
    unlike = sorted(key for key in coded - set(one_sided) if _named(chinese[key]) != _named(english[key]))

    assert one_sided == []
    assert unlike == []


def copy() -> Iterator[tuple[str, str]]:
    """Every message id in the code and the templates, with the place where it stands."""
    for source in python("service"):
        with source.path.open("rb") as file:
            for line, message, _, _ in extract(
                "python", file, keywords={"_": None, "ngettext": (1, 2), "translate": None}
            ):
                first = message if isinstance(message, str) else message[0]
                yield f"{source.name}:{line}", first or ""
        for node in ast.walk(source.tree):
            yield from ((source.at(node), text) for text in _shown(node))
    for template in sorted(ROOT.glob("service/**/templates/**/*.html")):
        with template.open("rb") as file:
            for line, _, found, _ in babel_extract(file, ("_", "gettext", "ngettext"), [], JINJA_OPTIONS):
                word = found if isinstance(found, str) else (found or ("",))[0]
                yield f"{template.relative_to(ROOT)}:{line}", word or ""


def _shown(node: ast.AST) -> list[str]:
    if not isinstance(node, ast.Call):
        return []
    constants = [
        word.value for word in node.keywords if word.arg in SHOWN_ARGUMENTS and isinstance(word.value, ast.Constant)
    ]
    return [str(constant.value) for constant in constants if HAN.search(str(constant.value))]


def test_every_piece_of_copy_has_an_english_text() -> None:
    english = messages("en")
    missing = sorted({f"{text}   ({place})" for place, text in copy() if HAN.search(text) and not english.get(text)})

    assert missing == []


def test_copy_keeps_its_values_in_english() -> None:
    english = messages("en")
    pattern = re.compile(r"%\((\w+)\)[sd]|\{(\w+)\}")
    unlike = {
        text
        for _, text in copy()
        if english.get(text) and set(pattern.findall(text)) != set(pattern.findall(english[text]))
    }

    assert unlike == set()


def test_templates_say_nothing_that_cannot_be_translated() -> None:
    jinja = Environment(extensions=["jinja2.ext.i18n", "jinja2.ext.do", "jinja2.ext.loopcontrols"], autoescape=True)
    bare = []
    for template in sorted(ROOT.glob("service/**/templates/**/*.html")):
        inside_trans = False
        for line, kind, text in jinja.lex(template.read_text(encoding="utf-8")):
            if kind == "name" and text in {"trans", "endtrans"}:
                inside_trans = text == "trans"
            if kind == "data" and not inside_trans and HAN.search(text.replace(OWN_NAME, "")):
                bare.append(f"{template.relative_to(ROOT)}:{line} {text.strip()[:40]}")

    assert bare == []
