"""The host for who has no event loop, such as a notebook: it runs in a thread of its own, and each
call waits for its end. A worker that computes holds that thread, and nobody else's::

    from swarm_host.sync import Host

    with Host.load("swarm.lua") as host:
        print(host.call("count", "some words"))
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from anyio.from_thread import BlockingPortal, start_blocking_portal

from swarm_host import host as loops
from swarm_host.handle import Handle as LoopHandle
from swarm_host.options import Options
from swarm_host.outcome import Outcome, Reloaded

__all__ = ["Handle", "Host"]

T = TypeVar("T")


class _Threaded:
    """Calls what belongs to the loop there."""

    def __init__(self, portal: BlockingPortal) -> None:
        self._portal = portal

    def _ask(self, function: Callable[..., T], *arguments: Any) -> T:
        return self._portal.call(partial(function, *arguments))

    def _wait(self, function: Callable[..., Awaitable[T]], *arguments: Any, **named: Any) -> T:
        """Waits for what takes its time; what breaks that off, as Ctrl-C does, cancels it."""
        running = self._portal.start_task_soon(partial(function, *arguments, **named))
        try:
            return running.result()
        except BaseException:
            running.cancel()
            raise

    def _each(self, items: AsyncIterator[T]) -> Iterator[T]:
        async def following() -> list[T]:
            async for item in items:
                return [item]
            return []

        while found := self._wait(following):
            yield from found


class Handle(_Threaded):
    """A worker: :class:`swarm_host.Handle`, whose calls wait."""

    def __init__(self, portal: BlockingPortal, handle: LoopHandle) -> None:
        super().__init__(portal)
        self._handle = handle

    @property
    def status(self) -> str:
        """The worker's status now."""
        return self._ask(lambda: self._handle.status)

    def wait(self) -> Outcome:
        """Waits until it has settled; raises for no end of its own."""
        return self._wait(self._handle.wait)

    def join(self) -> None:
        """Waits until it has settled; raises where it neither passed nor is blocked."""
        self._wait(self._handle.join)

    def result(self) -> Any:
        """Joins, and returns the value; raises :class:`~swarm_host.WorkerBlocked` besides."""
        return self._wait(self._handle.result)

    def cancel(self, reason: str = "cancelled by the host") -> bool:
        """Asks it to end. True where it was live."""
        return self._ask(self._handle.cancel, reason)

    def output_tail(self, since: int = 0) -> list[dict[str, Any]]:
        """The events so far, in order: those with a ``seq`` above ``since``."""
        return self._ask(self._handle.output_tail, since)

    def follow(self, since: int = 0) -> Iterator[dict[str, Any]]:
        """The events as they come, until it has settled."""
        return self._each(self._handle.follow(since))


class Host(_Threaded):
    """A run of one script: :class:`swarm_host.Host`, whose calls wait. Make one with
    :meth:`load`."""

    def __init__(self, portal: BlockingPortal, host: loops.Host) -> None:
        super().__init__(portal)
        self._host = host

    @classmethod
    @contextmanager
    def load(cls, script: str | Path, options: Options | None = None) -> Iterator[Host]:
        """:meth:`swarm_host.Host.load`."""
        with cls._begun(lambda: loops.Host.load(script, options)) as host:
            yield host

    @classmethod
    @contextmanager
    def resume(
        cls, run: str | Path, options: Options | None = None, *, again: bool = False
    ) -> Iterator[Host]:
        """:meth:`swarm_host.Host.resume`."""
        with cls._begun(lambda: loops.Host.resume(run, options, again=again)) as host:
            yield host

    @classmethod
    @contextmanager
    def _begun(cls, begin: Callable[[], AbstractAsyncContextManager[loops.Host]]) -> Iterator[Host]:
        with (
            start_blocking_portal(name="swarm-host") as portal,
            portal.wrap_async_context_manager(begin()) as host,
        ):
            yield cls(portal, host)

    @property
    def run_id(self) -> str:
        """What the run is known by."""
        return self._host.run_id

    def run(self, timeout: float | None = None) -> Outcome:
        """Runs ``main`` to the end, with all that it has detached."""
        return self._wait(self._host.run, timeout)

    def spawn(self, name: str, value: Any = None, timeout: float | None = None) -> Handle:
        """Spawns a worker by name."""
        return Handle(self._portal, self._ask(self._host.spawn, name, value, timeout))

    def call(self, name: str, value: Any = None) -> Any:
        """:meth:`spawn` and :meth:`Handle.result` in one. What breaks it off, as Ctrl-C does,
        cancels its worker."""
        return self._wait(self._host.call, name, value)

    def reload(self, dry_run: bool = False) -> Reloaded:
        """Loads the script anew."""
        return self._wait(self._host.reload, dry_run)

    def pending(self, most: int = 1000) -> list[dict[str, Any]]:
        """The questions that nobody has answered yet, the oldest first."""
        return self._ask(self._host.pending, most)

    def answer(
        self, key: str, value: Any, *, by: str | None = None, reason: str | None = None
    ) -> None:
        """Answers a question."""
        self._wait(self._host.answer, key, value, by=by, reason=reason)

    def events(self, *types: str) -> Iterator[dict[str, Any]]:
        """The events of the run from now on."""
        return self._each(self._host.events(*types))

    def counts(self) -> dict[str, int]:
        """How many workers are live and running, and how many have ended in each way."""
        return self._ask(self._host.counts)
