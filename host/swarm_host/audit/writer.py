"""The thread that writes an audit: whole lines, at once, and the disk is asked to keep them."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue

from swarm_host.audit.chain import MOST_LINE, Broken, Head, chained, end_of
from swarm_host.errors import words_of

SYNC_SECONDS = 1.0
"""How long what was written may wait until the disk is asked to keep it; and how often it is looked
whether the file is still there, while nothing is written."""


class NoAudit(Exception):
    """An audit that cannot be begun; the text says why, and what to do."""


class Lost(Exception):
    """The file is not what was written there any more; the text says what became of it."""


def opened(path: Path) -> tuple[int, Head]:
    """Opens an audit to go on with it, for this process alone.

    :return: the descriptor, and the end of what is there.
    :raises NoAudit: it is no file that could be gone on with, or another run writes it.
    """
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY
    try:
        if _is_regular(path) is False:
            flags = flags & ~os.O_RDWR | os.O_WRONLY  # of a pipe nobody but its reader is to read
        number = os.open(path, flags | os.O_CLOEXEC, 0o600)
    except OSError as problem:
        raise NoAudit(f"{path}: {_why_not(problem)}") from None
    try:
        os.set_blocking(number, True)
        return number, _gone_on_with(number, path)
    except OSError as problem:
        os.close(number)
        raise NoAudit(f"{path}: {words_of(problem)}") from None
    except NoAudit:
        os.close(number)
        raise


def _is_regular(path: Path) -> bool | None:
    """None: it is not there."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except FileNotFoundError:
        return None


def _why_not(problem: OSError) -> str:
    if problem.errno == errno.ELOOP:
        return "it is a symbolic link; name the file itself"
    if problem.errno == errno.ENXIO:
        return "nobody reads it; begin to read it first"
    if problem.errno == errno.EISDIR:
        return "it is a folder; name a file in it"
    return words_of(problem)


def _gone_on_with(number: int, path: Path) -> Head:
    status = os.fstat(number)
    if not stat.S_ISREG(status.st_mode):
        return Head()
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise NoAudit(f"{path}: another run writes it; name another file") from None
    if status.st_mode & 0o022:
        raise NoAudit(f"{path}: others may write it: chmod go-w {path}, or name another file")
    size = os.fstat(number).st_size
    if size == 0:
        return Head()
    try:
        with os.fdopen(os.dup(number), "rb") as file:
            return end_of(file, size)
    except Broken as broken:
        raise NoAudit(
            f"{path}: it is there already, and no audit that could be gone on with: of its last "
            f"line, {broken}. `swarm-host audit verify {path}` looks at all of it; name another "
            "file, or move it away"
        ) from None


class Writer:
    """Writes one audit.

    :param path: the file.
    :param opened_before: its descriptor, and the end of what is there; None: the thread opens it.
    :param on_done: called in the writer's thread with the number of each batch that was written, or
        with the problem, after which nothing is written any more.
    :ivar head: the end of what was written.
    """

    def __init__(
        self,
        path: Path,
        opened_before: tuple[int, Head] | None,
        on_done: Callable[[int, Exception | None], None],
    ) -> None:
        self.head = Head() if opened_before is None else opened_before[1]
        self._path = path
        self._opened_before = opened_before
        self._on_done = on_done
        self._queue: SimpleQueue[tuple[int, bytes] | None] = SimpleQueue()
        self._number = 0
        self._thread = threading.Thread(target=self._run, name="audit", daemon=True)
        self._thread.start()

    def put(self, rows: bytes) -> int:
        """Has rows written, each JSON and a line feed; returns the batch's number, from 1."""
        self._number += 1
        self._queue.put((self._number, rows))
        return self._number

    def close(self, seconds: float | None = None) -> None:
        """Ends the thread once all is written and on the disk, and waits for it, for so many
        seconds at most."""
        self._queue.put(None)
        self._thread.join(seconds)

    def _begin(self) -> None:
        self._file, self.head = self._opened_before or opened(self._path)
        status = os.fstat(self._file)
        self._is_regular = stat.S_ISREG(status.st_mode)
        self._size = status.st_size
        self._identity = status.st_dev, status.st_ino

    def _run(self) -> None:
        try:
            self._begin()
            try:
                self._write_all()
            finally:
                os.close(self._file)  # and with it the lock
        except Exception as problem:  # whatever it is, who waits for a batch is told
            self._on_done(0, problem)

    def _write_all(self) -> None:
        is_over, synced, unsynced = False, time.monotonic(), False
        while not is_over:
            number, rows = 0, []
            for batch in self._next():
                if batch is None:
                    is_over = True
                else:
                    number = batch[0]
                    rows += batch[1].split(b"\n")[:-1]
            self._look()
            if rows:
                self._write(rows)
                unsynced = True
            late = time.monotonic() - synced >= SYNC_SECONDS
            if unsynced and self._is_regular and (late or is_over):
                os.fsync(self._file)
                synced, unsynced = time.monotonic(), False
            if rows:
                self._on_done(number, None)

    def _next(self) -> list[tuple[int, bytes] | None]:
        """What there is to write; nothing where nothing came for a while."""
        try:
            batches = [self._queue.get(timeout=SYNC_SECONDS)]
        except Empty:
            return []
        while batches[-1] is not None and not self._queue.empty():
            batches.append(self._queue.get())
        return batches

    def _look(self) -> None:
        """Whether the file is what was written: a program may have done something to it.

        :raises Lost: it is not.
        """
        if not self._is_regular:
            return
        try:
            status = self._path.lstat()
        except FileNotFoundError:
            raise Lost("it was removed") from None
        if (status.st_dev, status.st_ino) != self._identity:
            raise Lost("another file was put in its place")
        if status.st_size != self._size:
            what = "cut off" if status.st_size < self._size else "written to by somebody else"
            raise Lost(f"it was {what}")

    def _write(self, rows: list[bytes]) -> None:
        if any(len(row) > MOST_LINE - 1024 for row in rows):
            raise Lost(f"a line of more than {MOST_LINE >> 20} MiB has no room in it")
        lines, head = chained(rows, self.head)
        left = memoryview(lines)
        try:
            while left:
                left = left[os.write(self._file, left) :]
        except OSError:
            if self._is_regular:
                with suppress(OSError):  # what is there stays sound: whole lines
                    os.ftruncate(self._file, self._size)
            raise
        self._size += len(lines)
        self.head = head
