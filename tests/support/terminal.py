"""A run to talk to: what it says is waited for, line by line, with a deadline."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import time
from pathlib import Path
from types import TracebackType

from tests.support.command_line import SWARM_HOST

SECONDS = 20.0
"""How long anything may take before it counts as a hang."""


def rest_of(leader: int) -> bytes:
    """Reads a terminal to its end: what a process wrote before it ended arrives after that."""
    deadline = time.monotonic() + SECONDS
    said = b""
    while select.select([leader], [], [], max(0.0, deadline - time.monotonic()))[0]:
        try:
            said += os.read(leader, 65536)
        except OSError:  # nobody has it open any more, and all is read
            return said
    raise AssertionError(f"nobody closes it; it said:\n{said[-5000:]!r}")


class Terminal:
    """swarm-host in a folder, with stdout and stderr together.

    :param folder: its working folder.
    :param words: what follows ``swarm-host``.
    :param terminal: give it a terminal, which is its controlling terminal.
    :param environment: variables beside those of the test; None takes one away.
    """

    def __init__(
        self,
        folder: Path,
        *words: str,
        terminal: bool = False,
        environment: dict[str, str | None] | None = None,
    ) -> None:
        self.said = ""
        self._taken = 0
        variables = {**os.environ, "PYTHONUNBUFFERED": "1", **(environment or {})}
        kept = {name: value for name, value in variables.items() if value is not None}
        command = [*SWARM_HOST, *words]
        if terminal:
            pid, self._output = pty.fork()
            if pid == 0:
                os.chdir(folder)
                os.execve(command[0], command, kept)
            self.pid = pid
            self._process = None
        else:
            self._output, theirs = os.pipe()
            self._process = subprocess.Popen(
                command,
                cwd=folder,
                env=kept,
                stdin=subprocess.DEVNULL,
                stdout=theirs,
                stderr=theirs,
                start_new_session=True,
            )
            os.close(theirs)
            self.pid = self._process.pid
        self._status: int | None = None

    def __enter__(self) -> Terminal:
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
        os.close(self._output)

    def send(self, number: signal.Signals) -> None:
        """Sends a signal."""
        os.kill(self.pid, number)

    def type(self, text: str) -> None:
        """Types at its terminal: Ctrl-C is for all who are in the foreground there."""
        os.write(self._output, text.encode())

    def expect(self, pattern: str, seconds: float = SECONDS) -> re.Match[str]:
        """Waits until it has said what the pattern finds, after what was expected before."""
        deadline = time.monotonic() + seconds
        while True:
            found = re.compile(pattern, re.MULTILINE).search(self.said, self._taken)
            if found:
                self._taken = found.end()
                return found
            if not self._read(deadline):
                said = self.said[-5000:]  # at a terminal the line of progress is long
                raise AssertionError(f"it did not say {pattern!r}; it said:\n{said}")

    def expect_all(self, *patterns: str) -> None:
        """Waits for several, in any order: stdout and stderr do not wait for each other."""
        before = after = self._taken
        for pattern in patterns:
            self._taken = before
            self.expect(pattern)
            after = max(after, self._taken)
        self._taken = after

    def exit_status(self) -> int:
        """Waits for its end. Negative: the signal that ended it."""
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline and self._read(deadline):
            pass  # a line of progress is redrawn without end
        if self._process is not None:
            self._status = self._process.wait(SECONDS)
        while self._status is None:
            done, status = os.waitpid(self.pid, os.WNOHANG)
            if done:
                self._status = os.waitstatus_to_exitcode(status)
            elif time.monotonic() > deadline:
                raise AssertionError(f"it does not end; it said:\n{self.said}")
            else:
                time.sleep(0.01)
        return self._status

    def _read(self, deadline: float) -> bool:
        """Takes what it has said; False at its end or the deadline."""
        if not select.select([self._output], [], [], max(0.0, deadline - time.monotonic()))[0]:
            return False
        try:
            text = os.read(self._output, 65536)
        except OSError:  # the terminal of a process that has ended
            return False
        self.said += text.decode(errors="replace").replace("\r\n", "\n")
        return bool(text)
