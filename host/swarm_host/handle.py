"""A worker, from Python: its number in the VM, which the host keeps until the handle is gone."""

from __future__ import annotations

import weakref
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from swarm_host import errors
from swarm_host.outcome import Outcome

if TYPE_CHECKING:
    from swarm_host.host import Host


class Handle:
    """A worker, from Python. It goes through the same pipeline as one that a script spawns."""

    def __init__(self, host: Host, worker: int) -> None:
        self._host = host
        self.id = worker
        # Nobody else can ask for this worker once the handle is gone.
        weakref.finalize(self, host.forget, worker).atexit = False

    async def wait(self) -> Outcome:
        """Waits until the worker has settled, and says how; raises for no end of its own."""
        return await self._host.outcome_of(self.id)

    async def join(self) -> None:
        """Waits until the worker has settled.

        :raises WorkerFailed: it failed.
        :raises WorkerCancelled: it was cancelled.
        :raises WorkerTimeout: it ran out of time.
        """
        outcome = await self.wait()
        if outcome.status not in ("pass", "blocked"):
            raise errors.of_status(outcome.status, outcome.error or {})

    async def result(self) -> Any:
        """Joins, and returns the value.

        :raises WorkerBlocked: the worker said that it is blocked; the value is in ``.value``.
        """
        outcome = await self.wait()
        if outcome.status == "pass":
            return outcome.value
        if outcome.status == "blocked":
            raise errors.WorkerBlocked(outcome.error or {}, outcome.value)
        raise errors.of_status(outcome.status, outcome.error or {})

    @property
    def status(self) -> str:
        """The worker's status now."""
        return self._host.status_of(self.id)

    def cancel(self, reason: str = "cancelled by the host") -> bool:
        """Asks the worker to end. True where it was live."""
        return self._host.cancel_worker(self.id, reason)

    def output_tail(self, since: int = 0) -> list[dict[str, Any]]:
        """The events so far, in order: those with a ``seq`` above ``since``."""
        return self._host.tail_of(self.id, since)

    async def follow(self, since: int = 0) -> AsyncIterator[dict[str, Any]]:
        """The events as they come, until the worker has settled."""
        while True:
            over = self.status not in ("pending", "running", "suspended")
            events = self.output_tail(since)
            for event in events:
                since = event["seq"]
                yield event
            if over and not events:
                return
            if not over:
                await self._host.next_tick()
