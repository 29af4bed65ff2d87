"""docs/commands.md says what there is: every command, option and setting, and every line of it can be typed."""

import argparse
import re
import shlex
from collections.abc import Iterator

import pytest

from service.cli import parser
from service.kit.settings import Settings
from tests.architecture.sources import ROOT
from tests.cli.conftest import NUMBER, Installation, Run

PAGE = (ROOT / "docs" / "commands.md").read_text()
LINES = [line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()]
BESIDE = {"LINLI_PG_BIN"}
"""Read by the private server itself, which knows no settings."""


def _commands(top: argparse.ArgumentParser, path: str = "") -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Every command that does something, by the words that lead to it."""
    choices = [action for action in top._actions if isinstance(action, argparse._SubParsersAction)]
    if not choices:
        yield path, top
    for action in choices:
        for name, command in action.choices.items():
            yield from _commands(command, f"{path} {name}".strip())


def test_every_command_has_its_chapter_and_every_chapter_its_command() -> None:
    chapters = re.findall(r"^### (.+)$", PAGE, re.MULTILINE)

    assert sorted(chapters) == sorted(path for path, _ in _commands(parser()))


@pytest.mark.parametrize(("path", "command"), list(_commands(parser())), ids=lambda value: str(value)[:20])
def test_every_option_is_in_its_chapter(path: str, command: argparse.ArgumentParser) -> None:
    chapter = re.search(rf"^### {re.escape(path)}\n(.*?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL)
    assert chapter is not None
    for action in command._actions:
        for option in action.option_strings:
            if option not in ("-h", "--help"):
                assert option in chapter[1], f"{path} {option}"


@pytest.mark.parametrize("line", LINES)
def test_every_line_is_understood(line: str) -> None:
    words = shlex.split(line)

    assert words[0] == "linli"
    assert callable(parser().parse_args(words[1:]).do)


def test_every_setting_is_in_the_table_and_nothing_else_is() -> None:
    rows = re.findall(r"^\| `(LINLI_[A-Z_]+)` \|", PAGE, re.MULTILINE)
    known = {f"LINLI_{name.upper()}" for name in Settings.model_fields}

    assert set(rows) == known | BESIDE
    assert len(rows) == len(set(rows))


def test_the_defaults_in_the_table_are_the_defaults() -> None:
    rows = dict(re.findall(r"^\| `LINLI_([A-Z_]+)` \| ([^|]+) \|", PAGE, re.MULTILINE))
    for name, field in Settings.model_fields.items():
        if isinstance(field.default, bool | int | str) and field.default != "":
            assert rows[name.upper()].strip() == str(field.default).lower()


def test_every_setting_in_the_other_pages_exists() -> None:
    known = {f"LINLI_{name.upper()}" for name in Settings.model_fields} | BESIDE
    for page in ("deploy.md", "runbook.md", "commands.md"):
        named = set(re.findall(r"\bLINLI_[A-Z_]+\b", (ROOT / "docs" / page).read_text()))
        assert named <= known, page


@pytest.mark.slow
def test_the_page_can_be_followed_from_top_to_bottom(
    founded_once: tuple[Installation, Run], founded: Installation, empty: Installation
) -> None:
    """Every line that ends by itself is run as it stands, in the order of the page; those that go on have their own tests."""
    ends = {"user": 0, "migrate": 0, "upgrade": 0, "doctor": 0, "verify": 0, "backup": 3}
    where = founded.folder / "here"
    where.mkdir()
    with founded.database():
        second = next(line for line in LINES if line.startswith("linli init") and str(NUMBER) not in line)
        assert founded.linli(*shlex.split(second)[1:]).returncode == 0
        for line in LINES:
            words = shlex.split(line)[1:]
            if words[0] in ends:
                words = [str(where / word) if word.endswith(".linli") else word for word in words]
                assert founded.linli(*words).returncode == ends[words[0]], line
        sheet = str(where / "sheet.txt")
        exported = founded.linli("keys", "export", sheet)
        assert exported.returncode == 0
        assert founded.linli("keys", "confirm", exported.stdout.split()[-1]).returncode == 0
    assert empty.linli("keys", "import", sheet).returncode == 0
    assert empty.linli("restore", str(where / "copy.linli")).returncode == 0
    assert empty.linli("verify").returncode == 0


@pytest.mark.parametrize("words", [["nonsense"], [], ["keys"], ["serve", "--port", "x"], ["backup"]])
def test_wrong_words_end_with_2(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parser().parse_args(words)

    assert ended.value.code == 2
    assert "usage: linli" in capsys.readouterr().err
