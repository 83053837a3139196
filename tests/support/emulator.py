"""A terminal that is looked at: a run in a pseudo-terminal, what it writes put on a screen by
pyte, and pictures of that screen.
"""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType

import pyte

from tests.support.command_line import SWARM_HOST

SECONDS = 30.0
"""How long anything may take before it counts as a hang."""


class Emulator:
    """swarm-host at a terminal of some size.

    :param folder: its working folder.
    :param words: what follows the program.
    :param program: what is run.
    :param environment: variables beside those of the test; None takes one away.
    :ivar wrote: all that it has written.
    """

    def __init__(
        self,
        folder: Path,
        *words: str,
        columns: int = 80,
        lines: int = 24,
        environment: dict[str, str | None] | None = None,
        program: Sequence[str] = SWARM_HOST,
    ) -> None:
        variables = {**os.environ, "TERM": "xterm-256color", "CI": "", **(environment or {})}
        kept = {name: value for name, value in variables.items() if value is not None}
        self.wrote = b""
        self.screen = pyte.HistoryScreen(columns, lines, history=10000)
        self._stream = pyte.ByteStream(self.screen)
        self._status: int | None = None
        self.pid, terminal = pty.fork()
        self._terminal: int | None = terminal
        if self.pid == 0:
            os.chdir(folder)
            fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
            os.execvpe(program[0], [*program, *words], kept)

    def __enter__(self) -> Emulator:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._status is None:
            self.send(signal.SIGKILL)
            self.exit_status()
        self.close()

    def close(self) -> None:
        """Closes the terminal."""
        if self._terminal is not None:
            os.close(self._terminal)
            self._terminal = None

    def send(self, number: signal.Signals) -> None:
        """Sends a signal."""
        os.kill(self.pid, number)

    def type(self, text: str) -> None:
        """Types something."""
        assert self._terminal is not None
        os.write(self._terminal, text.encode())

    def resize(self, columns: int, lines: int) -> None:
        """Gives the terminal another size."""
        assert self._terminal is not None
        self.screen.resize(lines, columns)
        size = struct.pack("HHHH", lines, columns, 0, 0)
        fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, size)

    @property
    def shows(self) -> str:
        """What is on the screen, without blanks at the ends of lines."""
        return "\n".join(line.rstrip() for line in self.screen.display).rstrip()

    def until(self, seen: Callable[[str], object]) -> str:
        """Reads until the screen shows something, and returns what it shows."""
        deadline = time.monotonic() + SECONDS
        while not seen(self.shows):
            if not self._read(deadline):
                raise AssertionError(f"it was not seen; the screen shows:\n{self.shows}")
        return self.shows

    def exit_status(self) -> int:
        """Waits for its end. Negative: the signal that ended it."""
        deadline = time.monotonic() + SECONDS
        while self._read(deadline):
            pass
        while self._status is None:
            done, status = os.waitpid(self.pid, os.WNOHANG)
            if done:
                self._status = os.waitstatus_to_exitcode(status)
            elif time.monotonic() > deadline:
                raise AssertionError(f"it does not end; the screen shows:\n{self.shows}")
            else:
                time.sleep(0.01)
        return self._status

    def _read(self, deadline: float) -> bool:
        """Takes what it has written; False at its end or the deadline."""
        if self._terminal is None:
            return False
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([self._terminal], [], [], left)[0]:
            return False
        try:
            data = os.read(self._terminal, 65536)
        except OSError:  # the terminal of a process that has ended
            return False
        self.wrote += data
        self._stream.feed(data)
        return bool(data)
