"""The audit of a run that goes on: what the pump hands over is in the file before anything outside
is done that follows from it."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import anyio
from anyio.lowlevel import checkpoint

from swarm_host.audit.chain import Head
from swarm_host.audit.writer import Lost, NoAudit, Stalled, Writer, opened
from swarm_host.backlog import Backlog
from swarm_host.errors import SwarmError, words_of
from swarm_host.login import login


class AuditError(SwarmError):
    """The audit cannot be written any more: the run is over."""


class Audit:
    """The audit of one run: ``Options(audit=Audit("trail.audit"))``.

    :param path: the file; one that is there already is gone on with.
    :param at_once: it is opened now, and not as the first line is written, where what is wrong with
        it ends the run.
    :raises NoAudit: it cannot be written, is none, or another run writes it.
    """

    def __init__(self, path: Path | str, *, at_once: bool = True) -> None:
        self.path = Path(path).absolute()
        self._opened = opened(self.path) if at_once else None
        self._backlog = Backlog()
        self._first: dict[str, Any] | None = None
        self._writer: Writer | None = None
        self._is_told = self._is_over = self._is_hurried = False
        self._sources: dict[str, str] = {}
        self._generations: set[int] = set()

    @property
    def head(self) -> Head:
        """The end of what is in the file: how many lines, and the hash of the last."""
        if self._writer is not None:
            return self._writer.head
        return Head() if self._opened is None else self._opened[1]

    # What is told. ---------------------------------------------------------------------------

    def begin(self, run_id: str, script: str, about: Mapping[str, Any]) -> None:
        """A run begins, once its script is read, or something else is told.

        :param about: what else there is to say of it.
        """
        path = str(Path(script).absolute())
        self._first = {
            "run_id": run_id,
            "script": path,
            "user": login(),
            "pid": os.getpid(),
            **about,
        }

    def keep_source(self, path: str, content: bytes) -> None:
        """A script or a module is read."""
        digest = sha256(content).hexdigest()
        if self._first is not None and str(Path(path).absolute()) == self._first["script"]:
            self._first["sha256"] = digest
        elif self._sources.get(path) != digest:
            self.note("source_read", path=path, sha256=digest)
        self._sources[path] = digest
        self._tell_first()

    def note_generation(self, number: int, files: Iterable[str]) -> None:
        """A generation has taken over.

        :param files: what it was read from, and perhaps others.
        """
        if number not in self._generations:
            self._generations.add(number)
            sources = {path: self._sources[path] for path in files if path in self._sources}
            self.note("generation", generation=number, sources=sources)

    def note(self, kind: str, **fields: Any) -> None:
        """Something happened that Lua does not tell."""
        self._tell_first()
        self._take(_row(kind, fields))

    def keep_rows(self, rows: bytes) -> None:
        """Keeps rows of Lua's (``lua/swarm/events/audit.lua``)."""
        self._tell_first()
        if rows:
            self._take(rows)

    def _tell_first(self) -> None:
        first, self._first = self._first, None
        if first is not None:
            self._take(_row("run_started", first))

    def _take(self, rows: bytes) -> None:
        if self._backlog.problem is not None or self._is_over:
            return
        if self._writer is None:
            self._backlog.begin()
            self._writer = Writer(self.path, self._opened, self._backlog.reached)
            if self._is_hurried:
                self.hurry()
        self._backlog.put(self._writer.put(rows), len(rows))

    # Until it is written. --------------------------------------------------------------------

    async def written(self) -> None:
        """Waits until all that was told so far is in the file.

        :raises AuditError: it cannot be.
        """
        await self._backlog.written()
        if self._backlog.problem is not None:
            self._is_told = True
            raise AuditError(self._error(self._backlog.problem))

    async def keep_pace(self) -> None:
        """Waits where the disk is far behind.

        :raises AuditError: nothing can be written any more.
        """
        if self._backlog.holds_up:
            await self.written()

    @property
    def on_problem(self) -> Callable[[], object]:
        """Called in the loop once nothing can be written any more."""
        return self._backlog.on_problem

    @on_problem.setter
    def on_problem(self, tell: Callable[[], object]) -> None:
        self._backlog.on_problem = tell

    def _error(self, problem: Exception) -> dict[str, Any]:
        if isinstance(problem, NoAudit):
            why = f"cannot be begun: {problem}"
        elif isinstance(problem, OSError):
            why = f"{self.path} cannot be written: {words_of(problem)}"
        elif isinstance(problem, Stalled):
            why = f"{self.path} cannot be written: {problem}"
        elif isinstance(problem, Lost):
            why = f"{self.path} is not what was written any more: {problem}"
        else:
            why = f"{self.path} cannot be written: {problem!r}"
        message = (
            f"the audit {why}. The run has ended, so that nothing is done that is not "
            f"in it; {self.head.lines} lines were written, the hash of the last is {self.head.hash}"
        )
        return {"code": "audit_error", "message": message}

    # The end. --------------------------------------------------------------------------------

    def hurry(self) -> None:
        """The run is to end: the reader of a pipe has less time from now on."""
        self._is_hurried = True
        if self._writer is not None and self._writer.hurried_at is None:
            self._writer.hurried_at = time.monotonic()

    def end_now(self, seconds: float, status: str) -> None:
        """The process is about to end: writes what there is, within so many seconds."""
        if self._writer is not None and not self._is_over:
            self._take(_row("run_ended", {"status": status}))
            self._is_over = True
            self._writer.close(seconds)

    async def aclose(self, status: str) -> None:
        """The run is over.

        :param status: how it has ended.
        :raises AuditError: not all of it could be written, and nobody was told yet.
        """
        if not self._is_over and (self._writer is not None or self._first is not None):
            self.note("run_ended", status=status)
        self._is_over = True
        if self._writer is None:
            if self._opened is not None:
                os.close(self._opened[0])
            return
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(self._writer.close)
            await checkpoint()  # what the writer has said last is heard
        if self._backlog.problem is not None and not self._is_told:
            raise AuditError(self._error(self._backlog.problem))


def _row(kind: str, fields: Mapping[str, Any]) -> bytes:
    members = {"at": round(time.time(), 6), **fields, "type": kind}
    return json.dumps(members, separators=(",", ":"), sort_keys=True).encode() + b"\n"
