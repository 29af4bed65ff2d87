"""linli-check, as a stranger runs it: one copied file, a bare Python, nothing of ours around it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import ledger
from ledger import check
from ledger.check import LEAVES_MAGIC
from tests.db import Sessions
from tests.ledger.cast import BOOK, NOW
from tests.ledger.sealing import SIGNER, fill, gift, sealed

pytestmark = pytest.mark.usefixtures("book")


class Stranger:
    """Somebody with a folder of files that were handed out, and the tool."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "linli_check.py").write_bytes(Path(check.__file__).read_bytes())

    def gets(self, name: str, content: object) -> None:
        raw = content if isinstance(content, bytes) else json.dumps(content).encode()
        (self.folder / name).write_bytes(raw)

    def runs(self, *words: str) -> tuple[int, str]:
        """Run the copy; -I hides the tree, the environment and the working folder from it."""
        command = [sys.executable, "-I", "linli_check.py", *words]
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False)
        assert done.stderr == "", done.stderr
        return done.returncode, done.stdout


@pytest.fixture
async def stranger(sessions: Sessions, tmp_path: Path) -> Stranger:
    """With everything that one can ask of a book with two seals."""
    await fill(sessions, 300)
    first = await sealed(sessions)
    async with sessions.begin() as session:
        await ledger.post_many(session, BOOK, [gift(number) for number in range(1000, 1020)], now=NOW)
    second = await sealed(sessions)
    somebody = Stranger(tmp_path)
    async with sessions() as session:
        proof = await ledger.prove(session, BOOK, 20)
        book = [part async for part in ledger.leaves_file(session, second)]
        somebody.gets("entry.json", proof.as_file())
        somebody.gets("receipt.txt", proof.receipt.encode())
        somebody.gets("growth.json", (await ledger.prove_continues(session, BOOK, 1)).as_file())
    somebody.gets("first.json", first.as_file())
    somebody.gets("second.json", second.as_file())
    somebody.gets("book.leaves", b"".join(book))
    return somebody


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ("first.json", "seal 1 is signed"),
        ("entry.json", "transfer 20 (1 point from li to chen, gift, gift:10) stands in the book of seal 1"),
        ("receipt.txt first.json", "transfer 20 (1 point from li to chen"),
        ("growth.json", "the book of seal 2 begins with everything in the book of seal 1"),
        ("book.leaves first.json", "all 309 transfers give the root and the balances of seal 1"),
        ("book.leaves second.json", "all 329 transfers give the root and the balances of seal 2"),
        (f"first.json --key {SIGNER.key.lower()}", "seal 1 is signed"),
    ],
)
async def test_what_is_right_is_called_right(stranger: Stranger, files: str, said: str):
    code, output = stranger.runs(*files.split())
    assert code == 0, output
    assert output.startswith("正确 OK: ")
    assert said in output


def swap(name: str, old: str, new: str):
    """Change a file in place."""

    def change(stranger: Stranger) -> None:
        text = (stranger.folder / name).read_text()
        assert old in text
        (stranger.folder / name).write_text(text.replace(old, new, 1))

    return change


def flip(name: str, place: int):
    """Change one byte of a file."""

    def change(stranger: Stranger) -> None:
        raw = bytearray((stranger.folder / name).read_bytes())
        raw[place] ^= 1
        (stranger.folder / name).write_bytes(raw)

    return change


def cut(name: str, count: int):
    """Lose the end of a file."""

    def change(stranger: Stranger) -> None:
        stranger.gets(name, (stranger.folder / name).read_bytes()[:-count])

    return change


WRONG, UNREADABLE = 1, 2


@pytest.mark.parametrize(
    ("change", "files", "code", "said"),
    [
        (swap("first.json", "transfers 309", "transfers 308"), "first.json", WRONG, "signature"),
        (swap("first.json", "point", "paint"), "first.json", WRONG, "signature"),
        (swap("first.json", "linli seal 1", "linli seal 2"), "first.json", UNREADABLE, ""),
        (swap("entry.json", "67696674", "67696675"), "entry.json", WRONG, "does not stand so"),
        (swap("receipt.txt", "A", "B"), "receipt.txt first.json", UNREADABLE, "missing"),
        (
            swap("growth.json", '"path": ["', '"path": ["' + "0" * 64 + '", "'),
            "growth.json",
            WRONG,
            "does not continue",
        ),
        (flip("book.leaves", 60), "book.leaves first.json", WRONG, "do not give the root"),
        (cut("book.leaves", 5), "book.leaves second.json", UNREADABLE, "in the middle"),
        (lambda _: None, "receipt.txt second.json", WRONG, "does not stand so"),
        (lambda _: None, "first.json --key 0000000000000000", WRONG, "and not by"),
        (lambda _: None, "book.leaves", UNREADABLE, "name its file"),
        (lambda _: None, "nothing.json", UNREADABLE, "FileNotFoundError"),
        (lambda _: None, "linli_check.py", UNREADABLE, ""),
        (lambda some: some.gets("odd.json", {"linli": "voucher"}), "odd.json", UNREADABLE, "no kind"),
        (lambda some: some.gets("odd.json", [1]), "odd.json", UNREADABLE, ""),
        (lambda some: some.gets("odd.json", {"linli": "seal", "text": 5}), "odd.json", UNREADABLE, ""),
    ],
)
async def test_what_is_not_right_is_never_called_right(stranger: Stranger, change, files: str, code: int, said: str):
    change(stranger)
    found, output = stranger.runs(*files.split())
    assert (found, said in output) == (code, True), output
    assert "OK" not in output


async def test_the_last_part_of_a_book_missing_is_noticed(stranger: Stranger):
    raw = (stranger.folder / "book.leaves").read_bytes()
    shorter, place = LEAVES_MAGIC, len(LEAVES_MAGIC)
    for _ in range(320):
        length = int.from_bytes(raw[place : place + 2], "big")
        shorter += raw[place : place + 2 + length]
        place += 2 + length
    stranger.gets("book.leaves", shorter)
    assert stranger.runs("book.leaves", "second.json")[0] == WRONG
    assert stranger.runs("book.leaves", "first.json")[0] == 0


def test_the_tool_imports_nothing_of_ours():
    source = Path(check.__file__).read_text()
    lines = [line for line in source.splitlines() if line.startswith(("import ", "from "))]
    known = set(sys.stdlib_module_names) | {"cryptography"}
    assert {line.split()[1].split(".")[0] for line in lines} <= known
