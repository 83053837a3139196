"""What a step of the scheduler leaves for Python.

Named tuples: a frozen dataclass costs every start a millisecond more.
"""

from __future__ import annotations

from typing import Any, NamedTuple


class Step(NamedTuple):
    """What one step of the scheduler left.

    :ivar more: somebody is ready.
    :ivar wait: seconds until the nearest timer; None: there is none.
    :ivar requests: there is something for ports to take: requests, cancels and what is told.
    :ivar says: something was said.
    :ivar settles: workers that Python holds have settled.
    :ivar watches: there is more to watch than was asked for.
    :ivar keeps: there is something for the journal.
    :ivar urgent: that must be on the disk before anybody is told more.
    :ivar asks: a question was opened or closed.
    :ivar audits: there is something for the audit.
    """

    more: bool
    wait: float | None
    requests: bool
    says: bool
    settles: bool
    watches: bool
    keeps: bool
    urgent: bool
    asks: bool
    audits: bool


class Request(NamedTuple):
    """What a worker asks a port for.

    :ivar id: its number within the run.
    :ivar data: bytes beside the payload.
    :ivar task: the number of the worker's task, where it waits.
    :ivar last: nothing else is left for ports: no other request, cancel or message.
    """

    id: int
    port: str
    payload: dict[str, Any]
    data: bytes | None
    task: int | None
    last: bool


class Said(NamedTuple):
    """What was said since the last look.

    :ivar out: what scripts printed.
    :ivar log: log entries as JSON lines.
    :ivar events: events of the run as JSON lines.
    """

    out: bytes
    log: bytes
    events: bytes
