"""The audits of a run: its own, and those of layers, each of which is opened by its first row."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from swarm_host.audit.audit import Audit


class Audits:
    """All of them.

    :param own: the run's own, which no script can take away; None: it has none.
    :ivar on_problem: called in the loop once one cannot be written any more.
    :ivar status: how the run has ended; ``closed``: there was no main.
    """

    def __init__(self, own: Audit | None) -> None:
        self.own = own
        self.status = "closed"
        self._of_layers: dict[str, Audit] = {}
        self.on_problem: Callable[[], object] = lambda: None
        self._begun: tuple[str, str, Mapping[str, Any]] | None = None
        if own is not None:
            own.on_problem = self._tell_problem

    def __iter__(self) -> Iterator[Audit]:
        if self.own is not None:
            yield self.own
        yield from self._of_layers.values()

    def begin(self, run_id: str, script: str, about: Mapping[str, Any]) -> None:
        """A run begins (:meth:`swarm_host.audit.audit.Audit.begin`)."""
        self._begun = run_id, script, about
        if self.own is not None:
            self.own.begin(run_id, script, about)

    def keep(self, rows: bytes, of_layers: bytes) -> None:
        """Keeps rows of Lua's (``lua/swarm/events/audit.lua``).

        :param of_layers: each after the name of its file, as JSON, and a blank.
        """
        if rows and self.own is not None:
            self.own.keep_rows(rows)
        for line in of_layers.splitlines(keepends=True):
            name, _, row = line.partition(b" {")
            self._of(json.loads(name)).keep_rows(b"{" + row)

    def _of(self, name: str) -> Audit:
        path = str(Path(name).absolute())
        audit = self._of_layers.get(path)
        if audit is None:
            from swarm_host.audit.audit import Audit

            audit = self._of_layers[path] = Audit(path, at_once=False)
            audit.on_problem = self._tell_problem
            if self._begun is not None:
                audit.begin(*self._begun)
        return audit

    def _tell_problem(self) -> None:
        self.on_problem()

    async def written(self) -> None:
        """Waits until all that was told so far is in the files.

        :raises AuditError: it cannot be.
        """
        for audit in self:
            await audit.written()

    async def keep_pace(self) -> None:
        """Waits where the disk is far behind.

        :raises AuditError: nothing can be written any more.
        """
        for audit in self:
            await audit.keep_pace()

    def end_now(self, seconds: float, status: str) -> None:
        """The process is about to end: writes what there is, within so many seconds each."""
        for audit in self:
            audit.end_now(seconds, status)

    async def aclose(self) -> None:
        """The run is over.

        :raises AuditError: not all of it could be written, and nobody was told yet.
        """
        problem: Exception | None = None
        for audit in self:
            try:
                await audit.aclose(self.status)
            except Exception as raised:
                problem = problem or raised
        if problem is not None:
            raise problem
