"""The one slow hash for whatever people choose or type from paper."""

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError

_hasher = PasswordHasher()


def hash_of(secret: str) -> str:
    """A salted Argon2id hash; it takes tens of milliseconds, so call it in a thread."""
    return _hasher.hash(secret)


def matches(secret_hash: str, secret: str) -> bool:
    """Whether this is the secret that was hashed; as slow as hashing."""
    try:
        return _hasher.verify(secret_hash, secret)
    except (VerifyMismatchError, InvalidHashError):
        return False
