"""The audit of a run from the command line."""

from __future__ import annotations

import signal
from collections.abc import Iterable
from typing import TYPE_CHECKING

from swarm_host.cli.words import refuse

if TYPE_CHECKING:
    from swarm_host.audit.audit import Audit
    from swarm_host.host import Host


def audit_of(path: str | None) -> Audit | None:
    """The audit that is asked for. Where it cannot be written the process ends."""
    if path is None:
        return None
    from swarm_host.audit.audit import Audit
    from swarm_host.audit.writer import NoAudit

    try:
        return Audit(path)
    except NoAudit as problem:
        refuse(f"--audit {problem}")


def note_signal(host: Host | None, received: signal.Signals | None) -> None:
    """A signal has cancelled the run."""
    if host is not None and host.audits.own is not None and received is not None:
        host.audits.own.note("signal", signal=received.name)


def end_now(host: Host | None, seconds: float, status: str) -> None:
    """The process is about to end: what there is is written, within so many seconds."""
    if host is not None:
        host.audits.end_now(seconds, status)


def heads(host: Host | None) -> Iterable[str]:
    """What a person keeps elsewhere, to prove later that nothing was cut off."""
    for audit in () if host is None else host.audits:
        lines, head = audit.head
        yield f"audit: {audit.path}: {lines} lines, head {head}"
