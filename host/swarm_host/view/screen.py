"""The screen of a run: logs and errors on stderr; the script's own on stdout. What stays at the
bottom of a terminal, where something does, is drawn by who shows the run (view/fronts).
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, BinaryIO

import click

from swarm_host.entries import harmless, line_of, one_line, worker_of
from swarm_host.view.cells import without_colours
from swarm_host.view.fronts.following import Line
from swarm_host.view.fronts.live import Live
from swarm_host.view.outlet import Outlet, reason
from swarm_host.view.progress import is_controlling, is_in_front, size_of_terminal

_LEVELS = ("debug", "info", "warn", "error")
_COLOURS = {"debug": "bright_black", "info": "blue", "warn": "yellow", "error": "red"}
_LAST_WORDS_SECONDS = 0.5
_MOST_LINE = 4096
_AROUND_SECONDS = 0.02
_ASCII = {ord("·"): "-", ord("…"): "~"}
_BARE = ("host", "out", "err", "progress", "partial")
"""Kinds of lines that say what they are by themselves."""


class Screen:
    """Where a run's words go. Nothing here waits for who reads them.

    :param quiet: no progress, and no logs below error.
    :param debug: debug logs too.
    :param prints_to_stderr: what the script prints goes to stderr; stdout is for the result.
    :param events: where events of the run go, if anywhere.
    :ivar terminal: stderr is one, and obeys more than line ends.
    :ivar unicode: it takes more than ASCII.
    :ivar colours: it shows them, and nobody said ``NO_COLOR``.
    :ivar names_prints: what workers other than ``main`` print stands behind their names.
    :ivar on_given_way: called, from any thread, with whether the terminal is somebody else's for a
        while, or for good.
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
        self.encoding = sys.stderr.encoding
        self.unicode = self.encoding.lower().replace("-", "") == "utf8"
        self.terminal = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self.colours = self.terminal and not os.environ.get("NO_COLOR")
        self.names_prints = False
        self._gives_way = False
        self._prompts = False  # a prompt stands at the bottom, or is about to
        self._front, self._front_fd = (self._err if self.terminal else None), 2
        self.on_given_way: Callable[[bool], object] | None = None
        self._around_at = 0.0  # when a frame may be drawn below what is written
        self._live = Live(self.encoding)
        self._writes = threading.Lock()  # the watchdog has a thread of its own

    @property
    def prints_at_terminal(self) -> bool:
        """Whether what scripts print goes to a terminal."""
        return self.terminal if self._out is self._err else os.isatty(1)

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
        self._write(self._out, text)

    def write_result(self, text: bytes) -> None:
        """Writes the result of the run to stdout."""
        self._write(self._result, text)

    def write_events(self, lines: bytes) -> None:
        """Writes events of the run."""
        self._events.write(lines)

    def log(self, entry: dict[str, Any]) -> None:
        """Writes one log entry where its level is shown."""
        level, message = entry["level"], str(entry.get("message"))
        if level == "event":
            return  # for who follows the run
        if level == "raw":
            self._write(self._err, self._encoded(message))
            return
        if level == "print":
            self._print(entry, message)
            return
        if _LEVELS.index(level) < self._lowest:
            return
        self._say(line_of(entry, self.style(level, _COLOURS[level])) + "\n")

    def _print(self, entry: dict[str, Any], text: str) -> None:
        """Writes what a worker has printed, with who it was; elsewhere it is written as it is."""
        if not entry.get("copied"):
            head = self._head(entry["at"], worker_of(entry))
            lines = text.removesuffix("\n").split("\n")
            self.write_out("".join(f"{head}{line}\n" for line in lines).encode())

    def said(self, line: Line) -> None:
        """Writes a line that a worker has said, where that is not shown otherwise."""
        if line.kind in _LEVELS or line.kind == "print":
            return
        who = {"name": line.attempt.name, "task_id": f"T-{line.attempt.task}"}
        worker = worker_of({**who, "label": line.attempt.label})
        text = one_line(without_colours(line.text))[:_MOST_LINE]
        kind = "" if line.kind in _BARE else f"{line.kind}: "
        self._say(f"{self._head(line.at, harmless(worker))}{kind}{text}\n")

    def _head(self, at: float, worker: str) -> str:
        clock = time.strftime("%H:%M:%S", time.localtime(at))
        return f"{clock} {self.style(worker.rstrip(), 'cyan')} "

    def error(self, text: str) -> None:
        """Writes an error that ended the run."""
        self._say(f"{self.style('error', 'red')}: {harmless(text)}\n")

    def note(self, text: str, colour: str = "") -> None:
        """Writes one line that is no log."""
        text = harmless(text)
        self._say((self.style(text, colour) if colour else text) + "\n")

    def progress_note(self, text: str) -> None:
        """Writes one line that is progress: not with --quiet."""
        if not self._quiet:
            self._say(harmless(text) + "\n")

    def last_words(self, text: str) -> None:
        """Writes an error to stderr before the process ends, and never waits for long."""
        stood = self._live.stands
        self.close()
        begun = "" if stood or self._front is not self._err else "\n"
        self._say(f"{begun}{self.style('error', 'red')}: {harmless(text)}\n")
        self.wait(_LAST_WORDS_SECONDS)

    # What stays at the bottom. ---------------------------------------------------------------

    def draw(self, lines: Sequence[str], columns: int) -> None:
        """Puts lines at the bottom of the terminal, in the place of those that stand there, unless
        nobody reads, or a prompt stands there."""
        if not self._prompts and self._front is not None and not self._front.pending:
            self._draw(lines, columns)

    def _draw(self, lines: Sequence[str], columns: int) -> None:
        front = self._front
        if front is not None:
            with self._writes:
                if not self._gives_way and is_in_front(self._front_fd):
                    self._put(front, self._live.draw([*map(self._spelled, lines)], columns))

    def prompts_at(self, terminal: int) -> bool:
        """Prepares for prompts at the controlling terminal, wherever stderr goes. False: stderr is
        another terminal, which has the frames.

        :param terminal: its descriptor.
        """
        if self.terminal:
            return is_controlling(2)
        if is_controlling(1):
            self._front, self._front_fd = self._result, 1
        elif is_controlling(2):
            self._front = self._err
        else:
            self._front, self._front_fd = Outlet(terminal, "the terminal"), terminal
        return True

    def prompt(self, lines: Sequence[str]) -> None:
        """Puts a prompt there, whose last line ends where is typed; other frames give way. It
        comes in its turn, however much waits to be read."""
        self._prompts = True
        self._draw(lines, self.size[0])

    def prompt_is_over(self) -> None:
        """Takes the prompt away."""
        self.clear()
        self._prompts = False

    @property
    def size(self) -> tuple[int, int]:
        """The columns of the terminal that a line may take, and its lines."""
        return size_of_terminal(self._front_fd)

    def tell(self, text: str) -> None:
        """Writes lines for the person at the terminal that a prompt stands at."""
        if self._front is self._err or self._front is None:
            self.note(text)
        else:
            begun = b"\n" if self._live.is_open else b""
            self._write(self._front, begun + self._encoded(harmless(text) + "\n"))

    @contextmanager
    def given_way(self) -> Iterator[None]:
        """Nothing stands at the bottom for the time of the block."""
        self._give_way(True)
        try:
            yield
        finally:
            self._give_way(False)

    @contextmanager
    def lent(self) -> Iterator[None]:
        """Another program has the terminal for the time of the block: what is written there waits
        until it is over."""
        with self.given_way():
            for one in self._of_terminals():
                one.hold(True)
            try:
                yield
            finally:
                for one in self._of_terminals():
                    one.hold(False)

    def _of_terminals(self) -> list[Outlet]:
        """What writes to terminals."""
        outlets = [self._err, self._result, *([self._front] if self._front else [])]
        return [one for one in dict.fromkeys(outlets) if one.is_terminal]

    def _give_way(self, gives_way: bool) -> None:
        with self._writes:
            self._gives_way = gives_way
        if gives_way:
            self.clear()
        if self.on_given_way is not None:
            self.on_given_way(gives_way)

    def close(self) -> None:
        """Takes away what stands at the bottom, for good: the process ends."""
        for one in self._of_terminals():
            one.hold(False)
        self._give_way(True)

    def clear(self) -> None:
        """Takes away what stands at the bottom."""
        with self._writes:
            if self._live.stands and self._front is not None:
                self._put(self._front, self._live.draw((), self.size[0]))

    def style(self, text: str, colour: str) -> str:
        """Text in a colour, where there are any."""
        return click.style(text, fg=colour) if self.colours else text

    def _say(self, text: str) -> None:
        """Writes lines of the host's, which begin at the left edge."""
        begun = b"\n" if self._front is self._err and self._live.is_open else b""
        self._write(self._err, begun + self._encoded(text))

    def _encoded(self, text: str) -> bytes:
        return self._spelled(text).encode(self.encoding, "backslashreplace")

    def _spelled(self, text: str) -> str:
        """A text with signs of ours as a terminal of ASCII has them."""
        return text if self.unicode else text.translate(_ASCII)

    def _write(self, outlet: Outlet, data: bytes) -> None:
        if outlet is self._front:
            with self._writes:
                columns = self.size[0] if self._live.stands else 0
                now = time.monotonic()
                if self._live.stands and (outlet.pending or now < self._around_at):
                    # Much is written: the frame gives way, and is drawn again in its turn.
                    outlet.write(self._live.draw((), columns))
                self._around_at = now + _AROUND_SECONDS
                outlet.write(self._live.around(data, columns))
        else:
            outlet.write(data)

    @staticmethod
    def _put(outlet: Outlet, data: bytes) -> None:
        if data:
            outlet.write(data)


def _problem_of(outlet: Outlet) -> str:
    assert outlet.problem is not None
    return f"{outlet.name} cannot be written: {reason(outlet.problem)}"
