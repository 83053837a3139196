"""What a path was when it was looked at: enough to say later whether it has changed.

A file is its bytes: touching it, or saving it as it was, changes nothing. A folder is the names in
it. Where the bytes are many, or cannot be read, the file's place and times stand for them.
"""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass

MOST_BYTES = 1 << 20
"""A file above this is not read: its size, its time and its number stand for it."""

MOST_LINKS = 40
"""Links followed on the way to one file; the systems have the same bound."""

_RACY_NS = 20_000_000
"""A file looked at this soon after it was written may be written again within the same tick of the
file system's clock, and look the same."""

_OF_EDITORS = re.compile(rb".*~|\.#.*|#.*#|\..*\.sw.|4913", re.DOTALL).fullmatch
"""Names that editors leave beside a file while it is open: they are no news of a folder."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A path, looked at.

    :ivar kind: ``file``, ``folder``, ``missing``, or ``other`` for what is not read: a pipe.
    :ivar stat: changes with any write, rename or change of rights.
    :ivar content: what must be equal for the path to count as unchanged.
    :ivar size: bytes of a file.
    :ivar racy: a look at the times alone would not do.
    """

    kind: str
    stat: tuple[int, ...] = ()
    content: object = None
    size: int = 0
    racy: bool = False

    def same(self, other: Mark) -> bool:
        """Whether nothing has changed for a reader."""
        return self.kind == other.kind and self.content == other.content

    @property
    def may_pass(self) -> bool:
        """It may be so for a moment only: a file that is gone or empty, the names in a folder."""
        return self.kind in ("missing", "folder") or (self.kind == "file" and self.size == 0)


MISSING = Mark("missing")


def look(path: str, before: Mark | None = None, *, named: bool = False) -> Mark:
    """Looks at a path.

    :param before: what it was; where its times are the same, its content is not read again.
    :param named: the system has said that it changed, so that its content is read all the same.
    """
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return MISSING
    times = (found.st_ctime_ns, found.st_mtime_ns, found.st_size, found.st_ino, found.st_dev)
    if before is not None and before.stat == times and not before.racy and not named:
        return before
    size = found.st_size
    newest = max(found.st_ctime_ns, found.st_mtime_ns)
    racy = time.time_ns() - newest < _RACY_NS
    if stat.S_ISDIR(found.st_mode):
        return Mark("folder", times, _names(path), 0, racy)
    if not stat.S_ISREG(found.st_mode):
        return Mark("other", times, (found.st_rdev, found.st_ino, found.st_dev))
    content: object = times[1:]
    if found.st_size <= MOST_BYTES:
        try:
            from hashlib import blake2b  # costs start-up

            with open(path, "rb") as file:
                text = file.read(MOST_BYTES + 1)
            size = len(text)  # it may have been truncated since it was looked at
            content = blake2b(text, digest_size=16).digest()
        except OSError as problem:
            content = problem.errno
    return Mark("file", times, content, size, racy)


def _names(path: str) -> bytes | None:
    from hashlib import blake2b

    try:
        names = sorted(name for name in os.listdir(os.fsencode(path)) if not _OF_EDITORS(name))
    except OSError:
        return None
    return blake2b(b"\0".join(names), digest_size=16).digest()


def changed_at(path: str) -> int:
    """When a path, or a link on the way to it, was written, moved here or made; of one that is not
    there, when something was last taken out of the folder where it would be.

    The file system's clock goes in ticks: the moment may be up to one later. See :func:`moment`.
    """
    newest = 0
    for folder, name in hops(path, os.path.realpath(".")):
        at = os.path.join(folder, name)
        try:
            newest = max(newest, os.lstat(at).st_ctime_ns if os.path.islink(at) else 0)
            newest = max(newest, os.stat(path).st_ctime_ns)
        except (OSError, ValueError):
            newest = max(newest, os.stat(folder).st_ctime_ns if os.path.isdir(folder) else 0)
    return newest


def moment() -> int:
    """Now, as the file system's clock has it: its times come from the tick before."""
    coarse = getattr(time, "CLOCK_REALTIME_COARSE", None)
    return time.time_ns() if coarse is None else time.clock_gettime_ns(coarse)


def hops(path: str, start: str) -> Iterator[tuple[str, str]]:
    """The way to a file: each folder on it without links, and the name looked up there.

    It ends at the first name that is not there.

    :param path: relative to ``start``, or absolute; where it lies below ``start`` the way begins
        there.
    :param start: an absolute path without links.
    """
    if path.startswith(start + "/"):
        path = path[len(start) + 1 :]
    at = "/" if path.startswith("/") else start
    ahead = path.split("/")[::-1]
    links = 0
    while ahead:
        name = ahead.pop()
        if name in ("", "."):
            continue
        if name == "..":
            at = os.path.dirname(at)
            continue
        yield at, name
        full = os.path.join(at, name)
        try:
            mode = os.lstat(full).st_mode
            if not stat.S_ISLNK(mode):
                at = full
                continue
            target = os.readlink(full)
        except (OSError, ValueError):
            return
        links += 1
        if links > MOST_LINKS:
            return
        if target.startswith("/"):
            at = "/"
        ahead += target.split("/")[::-1]
