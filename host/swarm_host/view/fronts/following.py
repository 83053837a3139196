"""What each worker says, line by line, for who shows or keeps all of it: made from the events of
the run, the entries of the log and the output of programs, in the order in which they came.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

from swarm_host.entries import as_it_stands, reason_of, said_by
from swarm_host.view.outputs import text_of

_MOST_LINE = 64 * 1024
"""Bytes of a line; what is longer is broken."""

BEGAN, PASSED = "began", "passed"
"""What the host's lines of a beginning, and of an end that is a pass, begin with."""

_ENDS = {"pass": PASSED, "timeout": "ran out of time"}


class Attempt(NamedTuple):
    """An attempt of a task.

    :ivar task: the task's number.
    :ivar began: Unix seconds.
    """

    task: int
    name: str
    label: str
    number: int
    began: float


class Line(NamedTuple):
    """A line that was said.

    :ivar at: Unix seconds.
    :ivar kind: ``out`` and ``err`` of programs, ``print``, ``progress``, ``partial``, ``artifact``,
        ``usage``, the level of a log entry, or ``host``: its beginning and its end.
    """

    attempt: Attempt
    at: float
    kind: str
    text: str


Take = Callable[[Line], None]


class Following:
    """Makes lines of what is said, and hands them on.

    :param takers: each takes every line.
    """

    def __init__(self, *takers: Take) -> None:
        self._takers = takers
        self._live: dict[int, Attempt] = {}
        self._open: dict[tuple[int, str], bytearray] = {}  # lines that have no end yet
        self._ended: dict[int, tuple[str, float]] = {}  # how attempts have, until it is known why

    def output(self, task: int, stream: str, data: bytes) -> None:
        """A program has written something (``Options.write_output``)."""
        attempt = self._live.get(task)
        if attempt is None:
            return
        whole = self._open.setdefault((task, stream), bytearray())
        whole += data
        *lines, rest = whole.split(b"\n")
        while len(rest) > _MOST_LINE:
            end = _MOST_LINE
            while end > _MOST_LINE - 4 and rest[end] & 0xC0 == 0x80:
                end -= 1  # no character is cut in two
            lines.append(rest[:end])
            rest = rest[end:]
        self._open[task, stream] = rest
        now = time.time()
        for line in lines:
            self._say(attempt, now, stream, as_it_stands(line.decode(errors="replace")))

    def entry(self, entry: dict[str, Any]) -> None:
        """An entry of the log, or an event of the run among them."""
        task = entry.get("task_id")
        if task is None:
            return
        number, level, at = int(str(task)[2:]), str(entry["level"]), float(entry["at"])
        if level == "event":
            self._event(number, entry, at)
            return
        attempt = self._live.get(number)
        if level == "print":
            self.output(number, level, str(entry["message"]).encode(errors="surrogateescape"))
        elif attempt is not None:
            text = said_by(entry).removesuffix("\n")
            for line in text.split("\n"):
                self._say(attempt, at, level, line)

    def _event(self, task: int, event: dict[str, Any], at: float) -> None:
        kind = str(event["type"])
        if kind == "task_attempt_started":
            label = str(event.get("label") or "")
            name = str(event.get("name") or "function")
            attempt = Attempt(task, name, label, int(event["attempt"]), at)
            self._live[task] = attempt
            again = f", attempt {attempt.number}" if attempt.number > 1 else ""
            self._say(attempt, at, "host", f"{BEGAN}{again}")
            return
        attempt_of = self._live.get(task)
        if attempt_of is None:
            return
        if kind == "worker_output":
            self._output(attempt_of, event["event"], at)
        elif kind == "task_attempt_completed":
            self._close(attempt_of, at)
            self._ended[task] = str(event["status"]), at
        elif kind == "retry":
            self._tell_end(attempt_of, event, f"; tried again in {event['delay']:.1f} s")
        elif kind == "abandoned":
            self._say(attempt_of, at, "host", "abandoned: it goes on after its cancel")
        elif kind.startswith("task_") and kind != "task_created":
            self._tell_end(attempt_of, event, "")
            del self._live[task]

    def _output(self, attempt: Attempt, output: dict[str, Any], at: float) -> None:
        for line in text_of(output).split("\n"):
            self._say(attempt, at, str(output["type"]), line)

    def _close(self, attempt: Attempt, at: float) -> None:
        """Says what programs have written and not ended with a line end."""
        for stream in ("out", "err", "print"):
            rest = self._open.pop((attempt.task, stream), b"")
            if rest:
                self._say(attempt, at, stream, as_it_stands(rest.decode(errors="replace")))

    def _tell_end(self, attempt: Attempt, event: dict[str, Any], then: str) -> None:
        status, at = self._ended.pop(attempt.task, ("", 0.0))
        if status:
            why = reason_of({"name": attempt.name, "label": attempt.label, **event})
            took = f"{_ENDS.get(status, status)} after {at - attempt.began:.1f} s"
            reason = "" if not why or why.startswith("ran out of time") else f": {why}"
            self._say(attempt, at, "host", f"{took}{reason}{then}")

    def _say(self, attempt: Attempt, at: float, kind: str, text: str) -> None:
        line = Line(attempt, at, kind, text)
        for take in self._takers:
            take(line)
