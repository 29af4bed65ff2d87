"""The `linli` command: everything an operator does, each with one sentence of help."""

import argparse
import sys
from collections.abc import Sequence

from pydantic import ValidationError

from migrations.runner import MigrationBusyError
from service.cli import between, books, copies, openings, pausing, sealing, setting_up, starting
from service.cli.places import CommandRefused
from service.kit.db import is_connection_trouble
from service.kit.i18n import current_locale
from service.kit.logs import configure_logs
from service.kit.pages import refusal_sentence
from service.kit.read_only import is_about_writing
from service.kit.refusals import Refusal


def parser() -> argparse.ArgumentParser:
    """Every command and its options."""
    top = argparse.ArgumentParser(prog="linli", description="邻里 Linli: a volunteer time bank for communities.")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for module in (starting, setting_up, books, between, openings, sealing, copies, pausing):
        module.add_to(commands)
    return top


def main(words: Sequence[str] | None = None) -> None:
    """Run one command; a refusal is a sentence on standard error and exit code 1."""
    chosen = parser().parse_args(words)
    configure_logs()
    current_locale.set("en")
    try:
        sys.exit(chosen.do(chosen) or 0)
    except (CommandRefused, MigrationBusyError) as no:
        sys.exit(f"linli: {no}")
    except Refusal as no:
        sys.exit(f"linli: {refusal_sentence(no)}")
    except ValidationError as wrong:
        named = "; ".join(f"LINLI_{str(item['loc'][0]).upper()}: {item['msg']}" for item in wrong.errors())
        sys.exit(f"linli: a setting cannot be read. {named}")
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as trouble:
        if is_about_writing(trouble):
            sys.exit("linli: the service is read-only; `linli read-only off` lets it write again")
        if not is_connection_trouble(trouble):
            raise
        sys.exit(f"linli: the database does not answer ({type(trouble).__name__})")
