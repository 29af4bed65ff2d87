"""backup, restore, keys: copies of the data, and of the keys, which are never in the same place."""

import argparse
import base64
import hashlib
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from migrations.runner import current, expected_head
from service.cli import code_keys
from service.cli.places import CommandRefused, database, keys, postgres_folder, run, say
from service.kit.crypto import KEY_FILE, Keyring, load_keyring, save_keyring
from service.kit.embedded_pg import EmbeddedPgError, dump, restore
from service.kit.settings import Settings

CONFIRMED = "exported-keys.json"
"""Which keys somebody has confirmed to hold on paper or elsewhere."""


def add_to(commands: Any) -> None:
    """The commands of this module."""
    backup = commands.add_parser("backup", help="copy the embedded database into one file, while it serves")
    backup.add_argument("file", type=Path)
    backup.set_defaults(do=backup_to)
    back = commands.add_parser("restore", help="fill an empty embedded database from a backup")
    back.add_argument("file", type=Path)
    back.set_defaults(do=restore_from)
    key = commands.add_parser(
        "keys", help="export, confirm or import the encryption keys; rotate or revoke those of voucher codes"
    )
    verbs = key.add_subparsers(dest="verb", required=True)
    export = verbs.add_parser("export", help="write a recovery sheet to print and lock away")
    export.add_argument("file", type=Path)
    export.set_defaults(do=export_keys)
    confirm = verbs.add_parser("confirm", help="say that the printed sheet is locked away, by its fingerprint")
    confirm.add_argument("fingerprint")
    confirm.set_defaults(do=confirm_keys)
    load = verbs.add_parser("import", help="put exported keys back")
    load.add_argument("file", type=Path)
    load.set_defaults(do=import_keys)
    code_keys.add_to(verbs)


def fingerprint(keyring: Keyring) -> str:
    """A short name of exactly these keys, safe to say aloud."""
    whole = b"".join(bytes([key_id]) + root for key_id, root in sorted(keyring.roots.items()))
    return hashlib.sha256(b"linli/fingerprint" + bytes([keyring.current]) + whole).hexdigest()[:16].upper()


def back_up(settings: Settings, file: Path) -> None:
    """Copy the embedded database into a file, with a note beside it of what it is and which keys open it."""
    if settings.database_url:
        raise CommandRefused("this database is not embedded; back it up with its own tools (docs/deploy.md)")
    keyring = keys(settings)
    file = file.absolute()
    try:
        dump(postgres_folder(settings), file)
    except (EmbeddedPgError, OSError) as reason:
        raise CommandRefused(f"no copy was made: {reason}") from reason
    note = {
        "made_at": datetime.now(UTC).isoformat(),
        "sha256": _digest(file),
        "keys": fingerprint(keyring),
    }
    file.with_name(file.name + ".json").write_text(json.dumps(note, indent=1) + "\n")
    say(f"Copied to {file.name}.")


def backup_to(chosen: argparse.Namespace) -> int:
    """A backup without its keys is a locked box: exit code 3 until an export of the keys was confirmed."""
    settings = Settings()
    back_up(settings, chosen.file)
    mark = fingerprint(keys(settings))
    if _confirmed(settings) != mark:
        say(
            "NOT COMPLETE: nobody has confirmed to hold the keys that open it. "
            "`linli keys export FILE`, print it, lock it away, then `linli keys confirm FINGERPRINT`."
        )
        return 3
    say(f"Complete. The keys {mark} are locked away elsewhere.")
    return 0


def restore_from(chosen: argparse.Namespace) -> int:
    """Fill the empty embedded database; refuse a damaged file, and say so when the keys do not fit."""
    settings = Settings()
    note_file = chosen.file.with_name(chosen.file.name + ".json")
    try:
        note = json.loads(note_file.read_text())
        checksum, mark = str(note["sha256"]), str(note["keys"])
    except (OSError, ValueError, KeyError, TypeError) as problem:
        raise CommandRefused(f"{note_file.name} is missing or damaged; it lies beside every backup") from problem
    if _digest(chosen.file) != checksum:
        raise CommandRefused(f"{chosen.file.name} is not what was backed up: its checksum differs")
    keyring = keys(settings)
    if fingerprint(keyring) != mark:
        raise CommandRefused("the keys here do not open this backup; `linli keys import FILE` first")
    try:
        restore(postgres_folder(settings), chosen.file)
    except EmbeddedPgError as reason:
        raise CommandRefused(str(reason)) from reason
    with database(settings) as place:
        revision = run(current(place.app_url))
    following = "`linli verify`" if revision == expected_head() else "`linli upgrade`, then `linli verify`"
    say(f"Restored, at revision {revision}. Now: {following}.")
    return 0


def export_keys(chosen: argparse.Namespace) -> int:
    """Write the keys as a sheet that a person can print, and type in again if need be."""
    keyring = keys(Settings())
    lines = ["Linli recovery sheet. Whoever holds this and a backup can read everybody's data.", ""]
    lines += [f"fingerprint {fingerprint(keyring)}", f"current {keyring.current}"]
    lines += [f"key {key_id} {_spelled(root)}" for key_id, root in sorted(keyring.roots.items())]
    try:
        # A file that is there may be one that others can read; a fresh one is ours alone.
        sheet = os.open(chosen.file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as problem:
        raise CommandRefused(f"{chosen.file.name} cannot be made: {problem.strerror}") from problem
    with os.fdopen(sheet, "w") as output:
        output.write("\n".join(lines) + "\n")
    say(f"Written to {chosen.file.name}. Print it, lock it away, delete the file, then:")
    say(f"linli keys confirm {fingerprint(keyring)}")
    return 0


def confirm_keys(chosen: argparse.Namespace) -> int:
    """Note that exactly these keys are kept elsewhere."""
    settings = Settings()
    if chosen.fingerprint.strip().upper() != fingerprint(keys(settings)):
        raise CommandRefused("that is not the fingerprint of the keys in use")
    note = {"fingerprint": fingerprint(keys(settings)), "confirmed_at": datetime.now(UTC).isoformat()}
    (settings.keys_dir / CONFIRMED).write_text(json.dumps(note) + "\n")
    say("Noted.")
    return 0


def import_keys(chosen: argparse.Namespace) -> int:
    """Put exported keys in place; keys that are there already are never overwritten."""
    settings = Settings()
    if (settings.keys_dir / KEY_FILE).exists():
        raise CommandRefused(f"there are keys in {settings.keys_dir}; move them away first")
    try:
        keyring, expected = _read_sheet(chosen.file.read_text())
        found = fingerprint(keyring)
    except (OSError, ValueError, IndexError) as problem:
        raise CommandRefused(f"{chosen.file.name} is not a recovery sheet") from problem
    if found != expected or keyring.current not in keyring.roots:
        raise CommandRefused("a character of the sheet is wrong: the fingerprint does not fit")
    save_keyring(keyring, settings.keys_dir)
    load_keyring(settings.keys_dir)
    say(f"Keys {expected} are in place.")
    say("A number of voucher codes that was withdrawn before must be withdrawn again: linli keys revoke NUMBER.")
    return 0


def _spelled(root: bytes) -> str:
    """A key in groups of four letters and digits, for a hand that types it in again."""
    text = base64.b32encode(root).decode().rstrip("=")
    return " ".join(text[start : start + 4] for start in range(0, len(text), 4))


def _read_sheet(text: str) -> tuple[Keyring, str]:
    current_key, roots, expected = 0, dict[int, bytes](), ""
    for line in text.splitlines():
        words = line.split()
        if words[:1] == ["fingerprint"]:
            expected = words[1].upper()
        elif words[:1] == ["current"]:
            current_key = int(words[1])
        elif words[:1] == ["key"]:
            spelled = "".join(words[2:])
            roots[int(words[1])] = base64.b32decode(spelled + "=" * (-len(spelled) % 8), casefold=True, map01="L")
    return Keyring(current=current_key, roots=roots), expected


def _confirmed(settings: Settings) -> str | None:
    try:
        found = json.loads((settings.keys_dir / CONFIRMED).read_text())
    except (OSError, ValueError):
        return None
    return str(found.get("fingerprint"))


def _digest(file: Path) -> str:
    try:
        with file.open("rb") as source:
            return hashlib.file_digest(source, "sha256").hexdigest()
    except OSError as problem:
        raise CommandRefused(f"{file.name} cannot be read: {problem.strerror}") from problem
