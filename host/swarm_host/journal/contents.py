"""The large contents of a journal, which lie beside it."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from pathlib import Path

from swarm_host.journal.places import NoJournal, files_of

_NAME = re.compile("@([0-9a-f]{64})")


def content_of(journal: Path, text: str) -> str:
    """A text of a journal, or the content that it stands for.

    :raises NoJournal: that is missing, or is not what was written.
    """
    if not text.startswith("@"):
        return text
    named = _NAME.fullmatch(text)
    if named is None:
        raise NoJournal(f"{journal} is damaged: {text[:80]!r} names no content")
    path = files_of(journal) / named[1]
    try:
        number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as problem:
        why = problem.strerror
        raise NoJournal(f"{path} cannot be read, and belongs to {journal}: {why}") from None
    with os.fdopen(number, "rb") as file:
        is_file = stat.S_ISREG(os.fstat(number).st_mode)
        content = file.read() if is_file else b""
    if not is_file or hashlib.sha256(content).hexdigest() != named[1]:
        raise NoJournal(f"{path} is damaged: it is not what {journal} had there")
    return content.decode()
