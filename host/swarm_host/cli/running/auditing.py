"""The audit of a run from the command line."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from swarm_host.cli.words import refuse

if TYPE_CHECKING:
    from swarm_host.audit.audit import Audit


class Audited:
    """The audit that was asked for, or none. Where it cannot be written the process ends.

    :param path: its file.
    :ivar audit: it, for :class:`swarm_host.options.Options`.
    """

    def __init__(self, path: str | None) -> None:
        self.audit: Audit | None = None
        if path is not None:
            from swarm_host.audit.audit import Audit
            from swarm_host.audit.writer import NoAudit

            try:
                self.audit = Audit(path)
            except NoAudit as problem:
                refuse(f"--audit {problem}")

    def signal(self, received: signal.Signals | None) -> None:
        """A signal has cancelled the run."""
        if self.audit is not None and received is not None:
            self.audit.note("signal", signal=received.name)

    def end_now(self, seconds: float, status: str) -> None:
        """The process is about to end: what there is is written, within so many seconds."""
        if self.audit is not None:
            self.audit.end_now(seconds, status)

    def told(self) -> list[str]:
        """What a person keeps elsewhere, to prove later that nothing was cut off."""
        if self.audit is None:
            return []
        lines, head = self.audit.head
        return [f"audit: {self.audit.path}: {lines} lines, head {head}"]
