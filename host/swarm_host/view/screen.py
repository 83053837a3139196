"""The screen of a run: logs, errors and one line of progress on stderr; the script's own on stdout.

On a terminal the line of progress is redrawn in place; elsewhere a plain line is written now and
then, so that a log shows that the run is alive.
"""

from __future__ import annotations

import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, BinaryIO

import anyio
import click

from swarm_host.entries import harmless, line_of
from swarm_host.view.outlet import Outlet, reason
from swarm_host.view.progress import progress_line, width_of

_LEVELS = ("debug", "info", "warn", "error")
_COLOURS = {"debug": "bright_black", "info": "blue", "warn": "yellow", "error": "red"}
_REDRAW_SECONDS = 0.1
_FIRST_AFTER_SECONDS = 0.5
_PLAIN_EVERY_SECONDS = 30.0
_LAST_WORDS_SECONDS = 0.5


class Screen:
    """Where a run's words go. Nothing here waits for who reads them.

    :param quiet: no progress, and no logs below error.
    :param debug: debug logs too.
    :param prints_to_stderr: what the script prints goes to stderr; stdout is for the result.
    :param events: where events of the run go, if anywhere.
    """

    def __init__(
        self, *, quiet: bool, debug: bool, prints_to_stderr: bool, events: BinaryIO | None = None
    ) -> None:
        self._lowest = 3 if quiet else 0 if debug else 1
        self._quiet = quiet
        self._result, self._err = Outlet(1, "standard output"), Outlet(2, "standard error")
        if self._err.is_same(self._result):
            self._err = self._result  # so that they keep their order whoever reads how slowly
        self._out = self._err if prints_to_stderr else self._result
        self._outlets = [self._result, self._err]
        if events is not None:
            self._events = Outlet(events.fileno(), f"--events {events.name}")
            self._outlets.append(self._events)
        self._encoding = sys.stderr.encoding
        self._terminal = sys.stderr.isatty()
        self._drawn = False

    def on_problem(self, tell: Callable[[str], object]) -> None:
        """Has a function called, from any thread, once something cannot be written any more."""
        for outlet in self._outlets:
            outlet.on_problem = lambda outlet: tell(_problem_of(outlet))

    @property
    def problem(self) -> str | None:
        """What could not be written, and why; None: all went well."""
        return next((_problem_of(one) for one in self._outlets if one.problem is not None), None)

    @property
    def unread(self) -> int:
        """How many bytes wait for somebody to read."""
        return sum(outlet.pending for outlet in dict.fromkeys(self._outlets))

    def wait(self, seconds: float) -> None:
        """Waits until all is read, at most for so long."""
        end = time.monotonic() + seconds
        for outlet in self._outlets:
            outlet.wait(max(end - time.monotonic(), 0))

    def write_out(self, text: bytes) -> None:
        """Writes what a script printed."""
        self.clear()
        self._out.write(text)

    def write_result(self, text: bytes) -> None:
        """Writes the result of the run to stdout."""
        self.clear()
        self._result.write(text)

    def write_events(self, lines: bytes) -> None:
        """Writes events of the run."""
        self._events.write(lines)

    def log(self, entry: dict[str, Any]) -> None:
        """Writes one log entry where its level is shown."""
        level, message = entry["level"], str(entry["message"])
        if level == "raw":
            self.clear()
            self._say(message)
            return
        if _LEVELS.index(level) < self._lowest:
            return
        self._line(line_of(entry, self._style(level, _COLOURS[level])))

    def error(self, text: str) -> None:
        """Writes an error that ended the run."""
        self._line(f"{self._style('error', 'red')}: {harmless(text)}")

    def note(self, text: str) -> None:
        """Writes one line that is no log."""
        self._line(harmless(text))

    def progress_note(self, text: str) -> None:
        """Writes one line that is progress: not with --quiet."""
        if not self._quiet:
            self._line(text)

    def last_words(self, text: str) -> None:
        """Writes an error to stderr before the process ends, and never waits for long."""
        before = "\r\x1b[K" if self._drawn else "\n" if self._terminal else ""
        self._drawn = False
        self._say(f"{before}{self._style('error', 'red')}: {text}\n")
        self.wait(_LAST_WORDS_SECONDS)

    def clear(self) -> None:
        """Takes the line of progress away."""
        if self._drawn:
            self._drawn = False
            self._say("\r\x1b[K")

    @asynccontextmanager
    async def progress(self, counts: Callable[[], dict[str, int]]) -> AsyncIterator[None]:
        """Shows how many workers there are, for the time of the block."""
        if self._quiet:
            yield
            return
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._draw, counts)
            yield
            tasks.cancel_scope.cancel()
        self.clear()

    async def _draw(self, counts: Callable[[], dict[str, int]]) -> None:
        started = anyio.current_time()
        await anyio.sleep(_FIRST_AFTER_SECONDS if self._terminal else _PLAIN_EVERY_SECONDS)
        while True:
            width = width_of(sys.stderr.fileno()) if self._terminal else None
            line = progress_line(counts(), anyio.current_time() - started, width)
            if self._terminal:
                if not self._err.pending:
                    self._say(f"\r{line}\x1b[K")
                    self._drawn = True
                await anyio.sleep(_REDRAW_SECONDS)
            else:
                self._line(line)
                await anyio.sleep(_PLAIN_EVERY_SECONDS)

    def _line(self, text: str) -> None:
        self.clear()
        self._say(text + "\n")

    def _say(self, text: str) -> None:
        self._err.write(text.encode(self._encoding, "backslashreplace"))

    def _style(self, text: str, colour: str) -> str:
        return click.style(text, fg=colour) if self._terminal else text


def _problem_of(outlet: Outlet) -> str:
    assert outlet.problem is not None
    return f"{outlet.name} cannot be written: {reason(outlet.problem)}"
