"""The keys of tokens: random ones, or those of a file or the environment, of which the first makes
tokens and all verify them, so that one can be exchanged while tokens of the old one are good."""

from __future__ import annotations

import os
import stat
from pathlib import Path

VARIABLE = "SWARM_TOKEN_KEYS"
"""The variable with keys; programs of workers do not get it."""

LEAST_BYTES = 32
MOST_KEYS = 2


class BadKeys(ValueError):
    """Keys that cannot be used; the text says why, and never a key."""


def random_keys() -> list[bytes]:
    """A key that nobody else has: its tokens end with this process."""
    return [os.urandom(LEAST_BYTES)]


def from_text(text: str, where: str) -> list[bytes]:
    """Reads keys in hexadecimal, separated by blanks, the newest first.

    :param where: where the text comes from, for messages.
    :raises BadKeys: they are none.
    """
    words = text.split()
    if not 1 <= len(words) <= MOST_KEYS:
        raise BadKeys(f"{where} must have one or two keys, and has {len(words)}")
    keys = []
    for word in words:
        try:
            key = bytes.fromhex(word)
        except ValueError:
            raise BadKeys(f"{where}: a key must be hexadecimal: openssl rand -hex 32") from None
        if len(key) < LEAST_BYTES:
            raise BadKeys(f"{where}: a key has at least {LEAST_BYTES} bytes: openssl rand -hex 32")
        keys.append(key)
    return keys


def from_file(path: str | Path) -> list[bytes]:
    """Reads keys from a file that nobody else may read.

    :raises BadKeys: others can read it, or it has no keys.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        with os.fdopen(fd, "rb") as file:
            found = os.fstat(fd)
            if not stat.S_ISREG(found.st_mode):
                raise BadKeys(f"{path} is no file")
            if found.st_mode & 0o077:
                raise BadKeys(f"{path} can be read or written by others: chmod 600 {path}")
            if found.st_uid != os.geteuid():
                raise BadKeys(f"{path} belongs to another user")
            text = file.read(4096)
    except OSError as problem:
        raise BadKeys(f"{path}: {problem.strerror}") from None
    return from_text(text.decode(errors="replace"), str(path))


def find_keys(path: str | Path | None = None) -> list[bytes]:
    """The keys of a file; else those of :data:`VARIABLE`; else a random one.

    :raises BadKeys: those that are named cannot be used.
    """
    if path is not None:
        return from_file(path)
    text = os.environ.get(VARIABLE)
    return from_text(text, VARIABLE) if text is not None else random_keys()
