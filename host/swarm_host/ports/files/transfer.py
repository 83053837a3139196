"""Copies and moves of files, each end within its bounds.

Where the other end is a folder, what is written is a name in it: that name is checked and opened.
What is written goes over in pieces, and a look between two of them whether anybody waits for it.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from swarm_host.ports.files import beneath
from swarm_host.ports.files.beneath import Entry
from swarm_host.ports.files.bounds import Bounds, admits_below, refusal
from swarm_host.ports.writing import put

UNTOLD = 64 * 1024 * 1024
"""Bytes that are taken beyond the size that a file says it has: of one in /proc, which says none,
and of one that grows while it is moved."""

Check = Callable[[], None]
"""Raises where nobody waits any more."""


class Failed(Exception):
    """What the system said to the other end of a copy or a move.

    :ivar path: that end.
    """

    def __init__(self, path: str, problem: OSError) -> None:
        super().__init__(path, problem)
        self.path = path
        self.problem = problem


@contextmanager
def _blaming(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as problem:
        raise Failed(path, problem) from None


def copy(
    from_bounds: Bounds | None, path: str, bounds: Bounds | None, to: str, check: Check
) -> None:
    """Copies a file with its times, its permissions and what else belongs to it.

    It is copied as long as it is at the beginning: whoever writes to it all the time would have it
    go on for ever. Of a copy that does not come to its end nothing is left.

    :param check: called between pieces.
    :raises PortError: ``role_violation``.
    :raises OSError: the file cannot be read.
    :raises Failed: it cannot be written.
    """
    with (
        beneath.entry(from_bounds, path) as source,
        beneath.opened(source, os.O_RDONLY) as read,
    ):
        target = _inside(path, to)
        with (
            _blaming(target),
            beneath.entry(bounds, target) as where,
            beneath.opened(where, os.O_WRONLY | os.O_CREAT) as write,
        ):
            if os.path.sameopenfile(read, write):
                raise OSError(errno.EINVAL, f"it is the same file as {path}")
            try:
                os.ftruncate(write, 0)
                _pour(read, write, check)
            except BaseException:
                _discard(where, write)
                raise


def move(
    from_bounds: tuple[Bounds | None, Bounds | None],
    path: str,
    bounds: Bounds | None,
    to: str,
    check: Check,
) -> None:
    """Moves a file, a folder with all in it, or a link itself.

    :param from_bounds: what may be written and what may be read: whoever moves a file away to where
        it may read has read it.
    :param check: called between pieces of what goes to another file system; it stays where it is
        when that raises.
    :raises PortError: ``role_violation``.
    :raises OSError: there is nothing to move.
    :raises Failed: it cannot go there.
    """
    held = [several for side in from_bounds for several in side or ()]
    may_leave = held if any(side is not None for side in from_bounds) else None
    into = os.path.isdir(to)  # noqa: PTH112 - text
    target = _inside(path, to)
    with (
        beneath.entry(may_leave, path, follow=False) as source,
        beneath.entry(bounds, target, follow=False) as there,
    ):
        if stat.S_ISDIR(beneath.found(source, follow=False).st_mode):
            _check_below(may_leave, path)
            _check_below(bounds, target)
        with _blaming(target):
            if into and _is_there(there):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
            try:
                os.rename(source[1], there[1], src_dir_fd=source[0], dst_dir_fd=there[0])
            except OSError as problem:
                if problem.errno != errno.EXDEV:
                    raise
                _carry_over(source, there, check)


def _inside(path: str, to: str) -> str:
    """Where it goes: into a folder under its own name."""
    if os.path.isdir(to):  # noqa: PTH112 - text
        return os.path.join(to, os.path.basename(path.rstrip("/")))  # noqa: PTH118, PTH119
    return to


def _check_below(bounds: Bounds | None, path: str) -> None:
    """A folder goes with all that is in it, whatever that is."""
    if bounds is not None and not admits_below(bounds, beneath.resolved(path, follow=False)):
        raise refusal(bounds, f"what is in {path}")


def _is_there(where: Entry) -> bool:
    try:
        beneath.found(where, follow=False)
    except FileNotFoundError:
        return False
    return True


def _carry_over(source: Entry, target: Entry, check: Check) -> None:
    """A move to another file system: a copy takes the target's name once it is whole."""
    folder, name = target
    new = f"{name.rstrip('/')}.{os.getpid()}.moving"
    try:
        _carry((source[0], source[1]), (folder, new), check)
        os.rename(new, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with suppress(OSError):
            _remove((folder, new))
        raise
    _remove(source)


def _carry(source: Entry, target: Entry, check: Check) -> None:
    check()
    status = beneath.found(source, follow=False)
    if stat.S_ISLNK(status.st_mode):
        there = os.readlink(source[1], dir_fd=source[0])
        os.symlink(there, target[1], dir_fd=target[0])
    elif stat.S_ISDIR(status.st_mode):
        os.mkdir(target[1], dir_fd=target[0])
        with beneath.listed(source) as read, beneath.listed(target) as write:
            for name in os.listdir(read):  # noqa: PTH208 - names, not paths
                _carry((read, name), (write, name), check)
            _dress(read, write)
    else:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        with (
            beneath.opened(source, os.O_RDONLY) as read,
            beneath.opened(target, flags) as write,
        ):
            _pour(read, write, check, whole=True)


def _remove(where: Entry) -> None:
    import shutil  # costs start-up, and few runs need it

    folder, name = where
    if stat.S_ISDIR(beneath.found(where, follow=False).st_mode):
        shutil.rmtree(name, dir_fd=folder)
    else:
        os.unlink(name, dir_fd=folder)


def _discard(where: Entry, file: int) -> None:
    """Removes a file that was opened by a name, where it still has it; a link to it stays."""
    folder, name = where
    with suppress(OSError):
        name = os.path.realpath(name) if folder is None else name
        there = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if os.path.samestat(there, os.fstat(file)):
            os.unlink(name, dir_fd=folder)


def _pour(read: int, write: int, check: Check, *, whole: bool = False) -> None:
    """Copies what is in one file to another.

    :param whole: also what comes while it is read, for the file is removed then.
    :raises OSError: also where there is more than it says, and :data:`UNTOLD`.
    """
    size = os.fstat(read).st_size
    untold = UNTOLD if whole or size == 0 else 0
    left = size + untold
    while left and (data := os.read(read, min(left, beneath.CHUNK))):
        check()
        put(write, data)
        left -= len(data)
    if untold and not left and os.read(read, beneath.CHUNK):
        text = f"there is more to read than {untold >> 20} MiB beyond the {size} bytes of its size"
        raise OSError(errno.EFBIG, text)
    _dress(read, write)


def _dress(read: int, write: int) -> None:
    """Gives one file what belongs to another besides its bytes."""
    status = os.fstat(read)
    os.utime(write, ns=(status.st_atime_ns, status.st_mtime_ns))
    if hasattr(os, "listxattr"):
        with suppress(OSError):  # not every file system has them
            for name in os.listxattr(read):
                with suppress(OSError):  # nor takes all of them
                    os.setxattr(write, name, os.getxattr(read, name))
    os.fchmod(write, stat.S_IMODE(status.st_mode))
