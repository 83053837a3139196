"""The screen of a run: logs, errors and one line of progress on stderr; the script's own on stdout.

On a terminal the line of progress is redrawn in place; elsewhere a plain line is written now and
then, so that a log shows that the run is alive.
"""

from __future__ import annotations

import os
import select
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import anyio
import click

from swarm_host.entries import harmless, line_of
from swarm_host.view.progress import progress_line, width_of

_LEVELS = ("debug", "info", "warn", "error")
_COLOURS = {"debug": "bright_black", "info": "blue", "warn": "yellow", "error": "red"}
_REDRAW_SECONDS = 0.1
_FIRST_AFTER_SECONDS = 0.5
_PLAIN_EVERY_SECONDS = 30.0
_LAST_WORDS_SECONDS = 0.5


class Screen:
    """Where a run's words go.

    :param quiet: no progress, and no logs below error.
    :param debug: debug logs too.
    :param prints_to_stderr: what the script prints goes to stderr; stdout is for the result.
    :ivar is_writing: a write is under way; where that lasts, nobody reads at the other end.
    """

    def __init__(self, *, quiet: bool, debug: bool, prints_to_stderr: bool) -> None:
        self._lowest = 3 if quiet else 0 if debug else 1
        self._quiet = quiet
        self._out = sys.stderr.buffer if prints_to_stderr else sys.stdout.buffer
        self._terminal = sys.stderr.isatty()
        self._drawn = False
        self._broken = False
        self.is_writing = False

    def write_out(self, text: bytes) -> bool:
        """Writes what a script printed. False where nobody reads it any more."""
        return self._write(self._out, text)

    def write_result(self, text: bytes) -> None:
        """Writes the result of the run to stdout."""
        self._write(sys.stdout.buffer, text)

    def log(self, entry: dict[str, Any]) -> None:
        """Writes one log entry where its level is shown."""
        level, message = entry["level"], str(entry["message"])
        if level == "raw":
            self.clear()
            sys.stderr.write(message)
            sys.stderr.flush()
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
        """Writes an error to stderr while another thread may hold it, and never waits for long."""
        before = "\r\x1b[K" if self._drawn else "\n" if self._terminal else ""
        words = f"{before}{self._style('error', 'red')}: {text}\n".encode(errors="replace")
        with suppress(OSError):
            if select.select([], [2], [], _LAST_WORDS_SECONDS)[1]:
                os.write(2, words)

    def clear(self) -> None:
        """Takes the line of progress away."""
        if self._drawn:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
            self._drawn = False

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
                sys.stderr.write(f"\r{line}\x1b[K")
                sys.stderr.flush()
                self._drawn = True
                await anyio.sleep(_REDRAW_SECONDS)
            else:
                self._line(line)
                await anyio.sleep(_PLAIN_EVERY_SECONDS)

    def _write(self, file: Any, text: bytes) -> bool:
        self.clear()
        if self._broken:
            return False
        self.is_writing = True
        try:
            file.write(text)
            file.flush()
        except BrokenPipeError:
            self._broken = True
            # What is still in Python's buffer must not fail once more at exit.
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, file.fileno())
            os.close(nowhere)
        finally:
            self.is_writing = False
        return not self._broken

    def _line(self, text: str) -> None:
        self.clear()
        sys.stderr.write(text + "\n")
        sys.stderr.flush()

    def _style(self, text: str, colour: str) -> str:
        return click.style(text, fg=colour) if self._terminal else text
