"""What there is to know of a run and its tasks, as the journal's reader gives it."""

from __future__ import annotations

from typing import Any, NamedTuple


class Run(NamedTuple):
    """What there is to know of a whole run.

    :ivar script: as it was named on the command line; ``""`` where it was not started there.
    :ivar cwd: the folder in which it was started.
    :ivar began: Unix time.
    :ivar ended: Unix time; of one that was killed when it did anything last; None: it goes on.
    :ivar seconds: for how long processes have worked on it.
    :ivar status: ``running``; how it ended: ``pass``, ``failed``, ``blocked``, ``cancelled`` or
        ``timeout``; ``waiting``: only answers can move it; or ``interrupted``: its process was
        killed.
    :ivar counts: status → how many tasks, of those of which there are any.
    """

    run_id: str
    script: str
    cwd: str
    began: float
    ended: float | None
    seconds: float
    status: str
    counts: dict[str, int]

    @property
    def tasks(self) -> int:
        """How many tasks there are."""
        return sum(self.counts.values())


class Attempt(NamedTuple):
    """One attempt of a task.

    :ivar began: Unix time; None: not known.
    :ivar ended: Unix time; None: it has not ended.
    """

    task: int
    number: int
    status: str
    began: float | None
    ended: float | None
    error: dict[str, Any] | None


class Task(NamedTuple):
    """One task, with how its last attempt is.

    :ivar parent: the task that spawned it; 0 for none.
    :ivar kind: of its definition, or ``function`` of what has none.
    :ivar name: of its definition, or where its function stands.
    :ivar status: ``pending``, ``running``, ``pass``, ``failed``, ``blocked``, ``cancelled``,
        ``timeout``; ``waiting``: it, or one below it, waits for an answer, and its run has ended
        for that; or ``interrupted``: it was in flight as the run's process was killed.
    :ivar spawned: Unix time.
    :ivar began: Unix time; None: it has not begun.
    :ivar ended: Unix time; None: it has not ended.
    :ivar used: what it and all below it have used; empty before it has ended.
    :ivar detached: nobody waits for it but the run.
    :ivar hidden: its input must not be seen.
    :ivar input: as the journal has it (:meth:`Reader.value`).
    :ivar value: its result, as the journal has it.
    """

    id: int
    parent: int
    kind: str
    name: str
    label: str | None
    status: str
    attempt: int
    spawned: float
    began: float | None
    ended: float | None
    error: dict[str, Any] | None
    used: dict[str, float]
    detached: bool
    hidden: bool
    input: str
    value: str

    @property
    def task_id(self) -> str:
        """As people know it."""
        return f"T-{self.id}"

    @property
    def seconds(self) -> float | None:
        """How long its last attempt took; None: it has not begun, or not ended."""
        return None if self.began is None or self.ended is None else self.ended - self.began


class Known(NamedTuple):
    """The least that there is to know of a task."""

    id: int
    parent: int
    name: str
    status: str


class Output(NamedTuple):
    """An event of a tail.

    :ivar row: its place among all of the run, in the order in which they were written.
    """

    row: int
    task: int
    attempt: int
    event: dict[str, Any]


class End(NamedTuple):
    """How a task has ended; all None where it has not."""

    attempt: int | None = None
    status: str | None = None
    began: float | None = None
    at: float | None = None
    session: int | None = None
    value: str | None = None
    error: str | None = None
    used: str | None = None
