"""One way to open a file within bounds: what is checked is what is opened.

A path is resolved and its text is checked; then the folders on the way to it are opened one by one,
none of them through a link, and the file in the last of them. Who puts a link there between the two
gains nothing: it is not followed, and the path is resolved anew. Without bounds a path is taken as
the system takes it.

Only regular files are read and written. What else has a name among files may have no end (a
device) or keep who opens it waiting for ever (a pipe), and opening alone may set something off.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from swarm_host.ports.files import straight
from swarm_host.ports.files.bounds import Bounds, admits_resolved, refusal

READ_MOST = 256 * 1024 * 1024
"""Bytes of a file that are read at once, at most."""

CHUNK = 1024 * 1024
"""Bytes read at once of what does not say how long it is."""

TRIES = 32
"""How often a path is resolved anew, where links on the way change all the time."""

T = TypeVar("T")

_PASSED = os.O_DIRECTORY | getattr(os, "O_PATH", os.O_RDONLY)
"""A folder that is only passed need not be readable, where the system can say that."""

_WRITES = os.O_WRONLY | os.O_RDWR

_KINDS = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}

_PRIVATE = re.compile(r"(.*/\d+)(?:/task/\d+)?/(?:environ|mem)")
"""What shows a process's environment and memory, by its place in a proc file system."""


class Swapped(Exception):
    """A link came to be on the way after the path was resolved."""


class NoFile(OSError):
    """What has the name is no file that could be read or written."""


Entry = tuple[int | None, str]
"""A name, in an open folder or, without bounds, by its whole path."""


def settled(operation: Callable[[], T]) -> T:
    """Does what resolves and opens paths, again where they changed meanwhile.

    :raises OSError: they change all the time, or lead in a ring.
    """
    for _ in range(TRIES):
        try:
            return operation()
        except Swapped:
            continue
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))


def resolved(path: str, *, follow: bool = True) -> str:
    """A path without links; with ``follow=False`` its last name is left as it is.

    Who removes or moves a link acts on the link itself, not on what it leads to.
    """
    if follow:
        return os.path.realpath(path)
    plain = path
    while plain.endswith(("/", "/.")) and plain.strip("/"):
        plain = plain.rstrip("/").removesuffix("/.")
    folder, name = os.path.split(plain)
    if name in ("", ".", ".."):
        return os.path.realpath(path)
    return os.path.join(os.path.realpath(folder), name)  # noqa: PTH118 - text


def open_folder(real: str) -> int:
    """Opens a folder by a path without links, for what is in it.

    :raises Swapped: there is a link on the way by now.
    """
    number = straight.open_folder(real, _PASSED | os.O_CLOEXEC)
    if number is not None:
        return number
    number = os.open("/", _PASSED | os.O_CLOEXEC)
    try:
        for name in real.split("/"):
            if name:
                inner = _open((number, name), _PASSED)
                os.close(number)
                number = inner
    except BaseException:
        os.close(number)
        raise
    return number


def _open(where: Entry, flags: int) -> int:
    """Opens a name; in a folder, no link.

    :raises Swapped: it is one by now.
    """
    number, name = where
    flags |= os.O_CLOEXEC
    if number is None:
        return os.open(name, flags, 0o666)
    try:
        return os.open(name, flags | os.O_NOFOLLOW, 0o666, dir_fd=number)
    except OSError as problem:
        if problem.errno in (errno.ELOOP, errno.EMLINK, errno.ENOTDIR) and _is_link(number, name):
            raise Swapped from None
        raise


def _is_link(outer: int, name: str) -> bool:
    try:
        return stat.S_ISLNK(os.stat(name, dir_fd=outer, follow_symlinks=False).st_mode)
    except OSError:
        return False


@contextmanager
def entry(bounds: Bounds | None, path: str, *, follow: bool = True) -> Iterator[Entry]:
    """Where a path leads, for the calls of ``os`` that take ``dir_fd``; those must follow no link.

    :param follow: whether the path means what a link at its end leads to.
    :raises PortError: ``role_violation``.
    """
    if bounds is None:
        yield None, path
        return
    number, name = _straight(bounds, path, follow=follow) or _resolved(bounds, path, follow=follow)
    try:
        yield number, name
    finally:
        os.close(number)


def _straight(bounds: Bounds, path: str, *, follow: bool) -> tuple[int, str] | None:
    """The same in few steps, for a path that has no link in it; None where it may have one."""
    if ".." in path or path.endswith(("/", "/.")):
        return None
    plain = os.path.abspath(path)  # noqa: PTH100 - text
    outer, name = os.path.split(plain)
    if not name or not admits_resolved(bounds, plain):
        return None
    try:
        number = open_folder(outer)
    except (OSError, Swapped):
        return None
    if follow and _is_link(number, name):
        os.close(number)
        return None
    return number, name


def _resolved(bounds: Bounds, path: str, *, follow: bool) -> tuple[int, str]:
    real = resolved(path, follow=follow)
    if not admits_resolved(bounds, real):
        raise refusal(bounds, path)
    outer, name = os.path.split(real)
    number = open_folder(outer)
    if follow and _is_link(number, name):
        os.close(number)
        if os.path.realpath(real) == real:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))  # it leads in a ring
        raise Swapped
    return number, name or "."


def found(where: Entry, *, follow: bool = True) -> os.stat_result:
    """What is there.

    :param follow: whether a link at its end is followed; within bounds that has been done.
    """
    number, name = where
    status = os.stat(name, dir_fd=number, follow_symlinks=follow and number is None)
    if follow and stat.S_ISLNK(status.st_mode):
        raise Swapped
    return status


@contextmanager
def opened(where: Entry, flags: int) -> Iterator[int]:
    """Opens a regular file; opening it never waits.

    :param flags: as :func:`os.open` takes them. O_TRUNC is done once it is known what it is.
    :raises OSError: also where it is something else.
    """
    try:
        _check(found(where))
    except FileNotFoundError:
        if not flags & os.O_CREAT:
            raise
    file = _open(where, flags & ~os.O_TRUNC | os.O_NONBLOCK | os.O_NOCTTY)
    try:
        status = os.fstat(file)
        _check(status)
        if status.st_size == 0 and not flags & _WRITES:
            _check_private(file)
        elif status.st_size and flags & os.O_TRUNC:
            os.ftruncate(file, 0)
        yield file
    finally:
        os.close(file)


@contextmanager
def listed(where: Entry) -> Iterator[int]:
    """Opens a folder for the names in it."""
    number = _open(where, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield number
    finally:
        os.close(number)


def _check(status: os.stat_result) -> None:
    kind = stat.S_IFMT(status.st_mode)
    if kind == stat.S_IFDIR:
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if kind != stat.S_IFREG:
        raise NoFile(errno.EINVAL, f"it is {_KINDS.get(kind, 'something else')}, not a file")


def _check_private(file: int) -> None:
    """Refuses a process's environment, by whatever name: there is a verb of its own for it."""
    try:
        name = os.readlink(f"/proc/self/fd/{file}")  # noqa: PTH115 - text
    except OSError:
        return  # a system without such files
    place = _PRIVATE.fullmatch(name)
    if place and os.path.exists(f"{place[1]}/status"):  # noqa: PTH110 - text
        text = "the environment and the memory of processes are no files to a script: use swarm.env"
        raise NoFile(errno.EACCES, text)


def content(file: int, most: int = READ_MOST) -> bytes:
    """All bytes of an open file.

    :raises OSError: there are more than ``most``.
    """
    size = os.fstat(file).st_size
    parts: list[bytes] = []
    left = most + 1
    while left > 0 and size <= most:
        part = os.read(file, min(left, size + 1 if size and not parts else CHUNK))
        if part:
            parts.append(part)
            left -= len(part)
        if not part or len(part) == size:  # it has as many bytes as it says
            return parts[0] if len(parts) == 1 else b"".join(parts)
    raise OSError(errno.EFBIG, f"it has more than {most >> 20} MiB, which is the most that is read")
