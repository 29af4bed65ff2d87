"""What the seals of the books need from outside the database: the keys that sign, and the copies that were published."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import cast

from sqlmodel.ext.asyncio.session import AsyncSession

import ledger
from service.kit.db import keyring


def signer(session: AsyncSession) -> ledger.Signer:
    """The key of this installation that seals today."""
    ring = keyring(session)
    private = ring.book_keys()[ring.current]
    return ledger.Signer(private.public_key().public_bytes_raw(), private.sign)


def trusted_keys(session: AsyncSession) -> Mapping[str, bytes]:
    """The public halves of every key this installation ever sealed with, by their printed names."""
    made = [
        ledger.Signer(key.public_key().public_bytes_raw(), key.sign) for key in keyring(session).book_keys().values()
    ]
    return {one.key: one.public_key for one in made}


def _folder(session: AsyncSession, community_id: int) -> Path | None:
    copies = cast("Path | None", session.info.get("seal_copies"))
    return copies / str(community_id) if copies is not None else None


def copies(session: AsyncSession, community_id: int) -> Mapping[int, str]:
    """The texts of the seals that were written beside the keys, by number. Whoever owns the database does not own these."""
    folder = _folder(session, community_id)
    if folder is None or not folder.is_dir():
        return {}
    found: dict[int, str] = {}
    for file in folder.glob("[0-9]*.json"):
        try:
            found[int(file.stem)] = str(json.loads(file.read_text("utf-8"))["text"])
        except (ValueError, KeyError, TypeError):
            found[int(file.stem)] = ""  # a damaged copy is a fault of its own
    return found


def publish(session: AsyncSession, seal: ledger.Seal) -> None:
    """Write a committed seal beside the keys, for good: a copy that is there is never written again."""
    folder = _folder(session, seal.book)
    if folder is None:
        return
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    file, draft = folder / f"{seal.number}.json", folder / f"{seal.number}.new"
    if not file.exists():
        draft.write_text(json.dumps(seal.as_file(), ensure_ascii=False, indent=1) + "\n", "utf-8")
        draft.replace(file)
