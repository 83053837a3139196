"""``--log-dir``: a file for each attempt that says something, with what it said."""

from __future__ import annotations

import errno
import os
import re
import stat
import threading
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from swarm_host.errors import words_of
from swarm_host.view.fronts.following import BEGAN, PASSED, Attempt, Line

_EVERY_SECONDS = 0.25
_MOST_GATHERED = 16 * 1024 * 1024
"""Characters that wait for the disk; more of them slow down who says them."""

_MOST_SECONDS = 1.0
_CLOSE_SECONDS = 10.0
_MOST_NAME = 80
_ODD = re.compile(r"[^A-Za-z0-9._-]+")


class LogDir:
    """Writes lines into files ``NAME-TASK.ATTEMPT.log``, in a thread of its own.

    :param folder: is made where it is missing.
    :ivar on_problem: takes, once and in any thread, why nothing can be written any more.
    :raises OSError: it cannot be made, or nothing can be written there.
    """

    def __init__(self, folder: str) -> None:
        self._folder = Path(folder)
        self.on_problem: Callable[[str], object] | None = None
        self._folder.mkdir(parents=True, exist_ok=True)
        if not os.access(self._folder, os.W_OK | os.X_OK):
            raise OSError(errno.EACCES, os.strerror(errno.EACCES))
        self._gathered: dict[str, list[str]] = {}
        self._size = 0
        self._began: dict[str, str] = {}  # of attempts that have said nothing yet
        self._changed = threading.Condition()
        self._closing = self._broken = False
        self._files: set[str] = set()  # that there are, or will be
        self._known: set[str] = set()  # that this run has written to
        self._thread = threading.Thread(target=self._write_on, name="log-dir", daemon=True)
        self._thread.start()

    def take(self, line: Line) -> None:
        """Takes a line. A worker that only began and passed has said nothing."""
        name = _name_of(line.attempt)
        head = f"{_clock(int(line.at))}.{int(line.at % 1 * 1000):03}"
        text = f"{head} {line.kind}: {line.text}\n"
        with self._changed:
            if self._broken:
                return
            if line.kind == "host" and line.text.startswith(BEGAN):
                label = f" [{line.attempt.label}]" if line.attempt.label else ""
                self._began[name] = text.removesuffix("\n") + label + "\n"
                return
            began = self._began.pop(name, "")
            if began and line.kind == "host" and line.text.startswith(PASSED):
                return
            self._files.add(name)
            self._gathered.setdefault(name, []).append(began + text)
            self._size += len(began) + len(text)
            if self._size > _MOST_GATHERED:
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._size <= _MOST_GATHERED, _MOST_SECONDS)

    def file_of(self, task: dict[str, Any]) -> Path | None:
        """The file of a task's last attempt, where it has said something.

        :param task: with ``name``, ``task_id`` and, where there were several, ``attempts``.
        """
        number, attempt = int(str(task["task_id"])[2:]), int(task.get("attempts") or 1)
        name = file_name(str(task.get("name") or ""), number, attempt)
        with self._changed:
            return self._folder / name if name in self._files else None

    def close(self, seconds: float = _CLOSE_SECONDS) -> None:
        """Writes what is left. May be called again.

        :param seconds: for how long, at the most.
        """
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(seconds)
        if self._thread.is_alive() and self.on_problem is not None:
            self.on_problem(f"--log-dir {self._folder}: it is not written to for {seconds:g} s")

    def _write_on(self) -> None:
        while not self._broken:
            with self._changed:
                self._changed.wait_for(
                    lambda: self._closing or self._size > _MOST_GATHERED, _EVERY_SECONDS
                )
                gathered, self._gathered, self._size = self._gathered, {}, 0
                closing = self._closing
                self._changed.notify_all()
            for name, lines in gathered.items():
                self._write(name, "".join(lines))
            if closing:
                return

    def _write(self, name: str, text: str) -> None:
        if self._broken:
            return
        flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
        # A file of an earlier run goes; of this one, it grows.
        flags |= os.O_APPEND if name in self._known else os.O_TRUNC
        self._known.add(name)
        try:
            file = os.open(self._folder / name, flags, 0o600)
            try:
                if not stat.S_ISREG(os.fstat(file).st_mode):
                    raise OSError(errno.EINVAL, "it is there, and no file")
                left = memoryview(text.encode(errors="replace"))
                while left:
                    left = left[os.write(file, left) :]
            finally:
                os.close(file)
        except OSError as problem:
            self._broken = True
            if self.on_problem is not None:
                self.on_problem(f"--log-dir {self._folder}: {name}: {words_of(problem)}")


@lru_cache(16)
def _clock(second: int) -> str:
    return time.strftime("%H:%M:%S", time.localtime(second))


@lru_cache(1024)
def _name_of(attempt: Attempt) -> str:
    return file_name(attempt.name, attempt.task, attempt.number)


def file_name(name: str, task: int, attempt: int) -> str:
    """The name of an attempt's file: nothing in it is anything but a letter, a digit or one of
    ``._-``, so that no worker's name leads out of the folder."""
    plain = _ODD.sub("_", name).lstrip(".")[:_MOST_NAME]
    return f"{plain or '_'}-T-{task}.{attempt}.log"
