"""A worker, from Python: its number in the VM, which the host keeps until the handle is gone."""

from __future__ import annotations

import weakref
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

from swarm_host import errors
from swarm_host.outcome import Outcome
from swarm_host.pump import Pump
from swarm_host.vm.kernel import Kernel

_LIVE = ("pending", "running", "suspended")


def _release(kernel: Kernel, pump: Pump, worker: int) -> None:
    with suppress(errors.OutOfMemory):
        if kernel.release(worker):
            pump.poke()


class Handle:
    """A worker, from Python. It goes through the same pipeline as one that a script spawns.

    :param kernel: the Lua side.
    :param pump: what drives it.
    :param worker: the worker's number, as the kernel gave it: it is released with the handle.
    """

    def __init__(self, kernel: Kernel, pump: Pump, worker: int) -> None:
        self._kernel = kernel
        self._pump = pump
        self.id = worker
        pump.poke()
        # Nobody else can ask for this worker once the handle is gone.
        weakref.finalize(self, _release, kernel, pump, worker).atexit = False

    async def wait(self) -> Outcome:
        """Waits until the worker has settled, and says how; raises for no end of its own."""
        self._pump.poke()
        if self.status in _LIVE:
            await self._pump.settled(self.id).wait()
        return self._kernel.outcome(self.id)

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
        return self._kernel.status(self.id)

    def cancel(self, reason: str = "cancelled by the host") -> bool:
        """Asks the worker to end. True where it was live."""
        was_live = self._kernel.cancel(self.id, reason)
        self._pump.poke()
        return was_live

    def output_tail(self, since: int = 0) -> list[dict[str, Any]]:
        """The events so far, in order: those with a ``seq`` above ``since``."""
        return self._kernel.tail(self.id, since)

    async def follow(self, since: int = 0) -> AsyncIterator[dict[str, Any]]:
        """The events as they come, until the worker has settled."""
        while True:
            over = self.status not in _LIVE
            events = self.output_tail(since)
            for event in events:
                since = event["seq"]
                yield event
            if over and not events:
                return
            if not over:
                await self._pump.next_tick().wait()
