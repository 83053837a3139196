"""The generations of a run's script: loading it, and loading it anew."""

from __future__ import annotations

import os
from pathlib import Path

import anyio

from swarm_host import errors
from swarm_host.handle import Handle
from swarm_host.outcome import Reloaded
from swarm_host.pump import Pump
from swarm_host.vm.kernel import Kernel


class Generations:
    """One script, and what became of it.

    :param kernel: the Lua side.
    :param pump: what drives it.
    """

    def __init__(self, kernel: Kernel, pump: Pump) -> None:
        self._kernel = kernel
        self._pump = pump
        self._reloading = anyio.Lock()

    async def load(self, script: str | Path) -> None:
        """Loads the script as the newest generation.

        :raises LoadError: it cannot be loaded.
        :raises WorkerCancelled: all that is alive was cancelled meanwhile.
        """
        path = str(script)
        folder = os.path.dirname(path)  # noqa: PTH120 - keeps the author's spelling of the path
        number = self._kernel.load(os.fsencode(path), os.fsencode(folder + "/" if folder else ""))
        outcome = await Handle(self._kernel, self._pump, number).wait()
        if outcome.status == "cancelled":
            raise errors.WorkerCancelled(outcome.error or {})
        if outcome.error is not None:
            raise errors.LoadError(outcome.error)

    async def reload(self, dry_run: bool, fresh: bool) -> Reloaded:
        """Loads the script anew, one loading at a time.

        :param dry_run: only say what would change.
        :param fresh: take over even where no definition has changed.
        :raises LoadError: it cannot be loaded, or a hook refused; the last good generation stays.
        """
        async with self._reloading:
            started = anyio.current_time()
            worker = Handle(self._kernel, self._pump, self._kernel.reload(dry_run, fresh))
            try:
                outcome = await worker.wait()
            except anyio.get_cancelled_exc_class():
                worker.cancel("the reload was cancelled")
                raise
            if outcome.error is not None:
                raise errors.LoadError(outcome.error)
            return Reloaded(seconds=anyio.current_time() - started, **outcome.value)
