"""The `linli` command: everything an operator does, each with one sentence of help."""

import argparse
import sys
from collections.abc import Sequence

from service.cli import books, copies, serving, setting_up
from service.cli.places import CommandRefused


def parser() -> argparse.ArgumentParser:
    """Every command and its options."""
    top = argparse.ArgumentParser(prog="linli", description="邻里 Linli: a volunteer time bank for communities.")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for module in (serving, setting_up, books, copies):
        module.add_to(commands)
    return top


def main(words: Sequence[str] | None = None) -> None:
    """Run one command; a refusal is a sentence on standard error and exit code 1."""
    chosen = parser().parse_args(words)
    try:
        sys.exit(chosen.do(chosen) or 0)
    except CommandRefused as no:
        sys.exit(f"linli: {no}")
    except KeyboardInterrupt:
        sys.exit(130)
