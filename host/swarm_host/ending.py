"""How a run ends: what main has detached is waited for, and what scripts want done then is done."""

from __future__ import annotations

import anyio

from swarm_host.errors import OutOfMemory
from swarm_host.handle import Handle
from swarm_host.outcome import Outcome
from swarm_host.pump import Pump
from swarm_host.vm.kernel import Kernel

CLOSE_SECONDS = 5.0
"""How long what is alive when a host closes may take to end."""


class Ending:
    """Ends runs, and at last the host.

    :param kernel: the Lua side.
    :param pump: what drives it.
    """

    def __init__(self, kernel: Kernel, pump: Pump) -> None:
        self._kernel = kernel
        self._pump = pump

    async def of_run(self, main: Handle, *, again: bool) -> Outcome:
        """Waits for the worker that is the run, and for all that it has detached.

        :param again: another run may follow: nothing is disposed of yet.
        :return: how the run ended.
        """
        outcome = await main.wait()
        await self._finish(main.id)
        if not again:
            await self._dispose()
        error = self._kernel.run_error()
        if error and outcome.status in ("pass", "blocked"):
            status = "timeout" if error.get("of_run") else "failed"
            return Outcome(status, outcome.value, error, outcome)
        if error and error["code"] in ("deadlock", "limited", "unanswered"):
            return Outcome("failed", None, error)
        return outcome

    async def of_serving(self) -> None:
        """Cancels what is alive and what comes meanwhile, and waits for the clean-up."""
        await self._finish(None)
        await self._dispose()

    async def _finish(self, main: int | None) -> None:
        while not (over := self._kernel.finishing(main)):
            if over is None:
                self._pump.poke()
            await self._pump.next_tick().wait()

    async def of_host(self) -> None:
        """Cancels what is alive, and stops the pump. Where that cannot go on, all is over."""
        if self._pump.is_over:
            return
        try:
            self._kernel.cancel_all("the host is closing")
            self._pump.poke()
            with anyio.move_on_after(CLOSE_SECONDS):
                while not self._kernel.idle():
                    await self._pump.next_tick().wait()
            await self._dispose()
            self._pump.stop()
        except OutOfMemory:
            self._pump.poke()  # it comes to the same, and says so

    async def _dispose(self) -> None:
        """Runs what scripts want done at the end of the run."""
        if self._kernel.dispose():
            self._pump.poke()
            while not self._kernel.idle():
                await self._pump.next_tick().wait()
