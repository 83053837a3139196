"""The keys of tokens: random ones, or those of files, of which the first makes tokens and all
verify them, so that one can be exchanged while tokens of the old one are good."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path

VARIABLE = "SWARM_TOKEN_KEYS"
"""The variable with the paths of key files, separated by ``:``."""

LEAST_BYTES = 32
MOST_KEYS = 2


class BadKeys(ValueError):
    """Keys that cannot be used; the text says why, and never a key."""


def random_keys() -> list[bytes]:
    """A key that nobody else has: its tokens end with this process."""
    return [os.urandom(LEAST_BYTES)]


def from_file(path: str | Path) -> bytes:
    """Reads a key, in hexadecimal, from a file that nobody else may read.

    :raises BadKeys: others can read it, or it has no key.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(fd, "rb") as file:
            found = os.fstat(fd)
            if not stat.S_ISREG(found.st_mode):
                raise BadKeys(f"{path} is no file")
            if found.st_mode & 0o077:
                raise BadKeys(f"{path} can be read or written by others: chmod 600 {path}")
            if found.st_uid != os.geteuid():
                raise BadKeys(f"{path} belongs to another user")
            text = file.read(4096).decode(errors="replace")
    except OSError as problem:
        reason = (problem.strerror or "").lower()
        raise BadKeys(f"{path or 'an empty path'} cannot be read: {reason}") from None
    return _key(text, path)


def _key(text: str, path: str | Path) -> bytes:
    how = f"make one with (umask 077; openssl rand -hex {LEAST_BYTES} > {path})"
    words = text.split()
    if len(words) != 1:
        raise BadKeys(f"{path} must have one key, and has {len(words)}: {how}")
    try:
        key = bytes.fromhex(words[0])
    except ValueError:
        raise BadKeys(f"{path}: a key must be hexadecimal: {how}") from None
    if len(key) < LEAST_BYTES:
        raise BadKeys(f"{path}: a key has at least {LEAST_BYTES} bytes: {how}")
    return key


def find_keys(paths: Sequence[str | Path] = ()) -> list[bytes]:
    """The keys of files, the newest first; where none are named those of the files that
    :data:`VARIABLE` names; else a random one.

    :raises BadKeys: those that are named cannot be used.
    """
    named = os.environ.get(VARIABLE)
    if not paths and not named:
        return random_keys()
    files = paths or (named or "").split(":")
    if len(files) > MOST_KEYS:
        raise BadKeys(f"there are at most {MOST_KEYS} keys, the new and the old, not {len(files)}")
    return [from_file(path) for path in files]
