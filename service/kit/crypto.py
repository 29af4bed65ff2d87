"""Keys, and what is done with them: sealed fields, blind indexes, token hashes.

One root key per key id lies in a file outside the data folder; every purpose derives its own key from it (HKDF-SHA256),
so that a leaked purpose key opens nothing else. The first byte of a sealed value is the id of the key that sealed it.
"""

import base64
import hashlib
import hmac
import json
import os
import secrets
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_FILE = "linli-keys.json"


class KeysUnreadable(Exception):
    """The key file is missing or damaged: nobody's data can be read, so the service does not start."""


@lru_cache(maxsize=64)
def _derived(root: bytes, purpose: str) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=f"linli/{purpose}".encode()).derive(root)


@dataclass(frozen=True, slots=True)
class Keyring:
    """Every root key of this installation and the id of the one that seals today."""

    current: int
    roots: dict[int, bytes]
    folder: Path | None = field(default=None, compare=False)
    """Where the file lies that it was read from; what else is secret lies beside it."""

    def key(self, purpose: str, key_id: int | None = None) -> bytes:
        """The 32-byte key for one purpose, of the current or a named root."""
        return _derived(self.roots[self.current if key_id is None else key_id], purpose)

    def keys(self, purpose: str) -> dict[int, bytes]:
        """The purpose's key under every root, by key id: for checking codes made before a rotation."""
        return {key_id: _derived(root, purpose) for key_id, root in self.roots.items()}

    def book_keys(self) -> dict[int, Ed25519PrivateKey]:
        """The keys that sign the seals of the books, by key id: an old one goes on vouching for the seals it made."""
        return {key_id: Ed25519PrivateKey.from_private_bytes(key) for key_id, key in self.keys("book-seal").items()}

    def seal(self, text: str, context: str) -> bytes:
        """Encrypt one field. `context` names its place (table, row, field), so that a value moved elsewhere cannot be opened."""
        nonce = os.urandom(12)
        sealed = AESGCM(self.key("field")).encrypt(nonce, text.encode(), context.encode())
        return bytes([self.current]) + nonce + sealed

    def open(self, sealed: bytes, context: str) -> str:
        """The text that `seal` was given; fails loudly on a changed value or another context."""
        plain = AESGCM(self.key("field", sealed[0])).decrypt(sealed[1:13], sealed[13:], context.encode())
        return plain.decode()

    def blind(self, purpose: str, text: str) -> bytes:
        """A keyed index of a value: equal values meet, nothing can be read back. Always by the first root, so that it is stable."""
        return hmac.new(self.key(f"blind/{purpose}", min(self.roots)), text.encode(), hashlib.sha256).digest()[:16]

    def token_hash(self, token: str) -> bytes:
        """What the database keeps of a session token or activation code; random 128 bits and more need no slow hash."""
        return hmac.new(self.key("token", min(self.roots)), token.encode(), hashlib.sha256).digest()


def new_keyring() -> Keyring:
    """A keyring with one fresh root."""
    return Keyring(current=1, roots={1: secrets.token_bytes(32)})


def save_keyring(keyring: Keyring, folder: Path) -> None:
    """Write the key file, readable by its owner alone; the old file stays until the new one is whole."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    text = json.dumps(
        {
            "current": keyring.current,
            "keys": {str(key_id): base64.b64encode(root).decode() for key_id, root in sorted(keyring.roots.items())},
        },
        indent=1,
    )
    write_private(folder, KEY_FILE, text)


def write_private(folder: Path, name: str, text: str) -> None:
    """Write a file that only its owner may read; the old one stays until the new one is whole."""
    draft = folder / f"{name}.new"
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())
    draft.replace(folder / name)
    # What is sealed from now on can be read with this file only: its name must survive a power cut as its content does.
    place = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(place)
    finally:
        os.close(place)


def load_keyring(folder: Path) -> Keyring:
    """The keyring of this installation; raises KeysUnreadable rather than inventing a new one."""
    try:
        data = json.loads((folder / KEY_FILE).read_text())
        roots = {int(key_id): base64.b64decode(root, validate=True) for key_id, root in data["keys"].items()}
        keyring = Keyring(current=int(data["current"]), roots=roots, folder=folder)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as problem:
        raise KeysUnreadable(str(folder / KEY_FILE)) from problem
    if keyring.current not in roots or any(len(root) != 32 for root in roots.values()):
        raise KeysUnreadable(str(folder / KEY_FILE))
    return keyring


def load_or_make_keyring(folder: Path) -> Keyring:
    """The keyring, made on the very first start only."""
    if not (folder / KEY_FILE).exists():
        save_keyring(new_keyring(), folder)
    return load_keyring(folder)
