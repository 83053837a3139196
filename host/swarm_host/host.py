"""One run: a VM, its pump and its ports, for a script."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio

from swarm_host.audit.audits import Audits
from swarm_host.ending import Ending
from swarm_host.errors import LoadError, OutOfMemory, SwarmError
from swarm_host.handle import Handle
from swarm_host.options import GIVEN, Options
from swarm_host.outcome import Outcome, Reloaded
from swarm_host.ports.registry import Ports
from swarm_host.pump import Pump
from swarm_host.reload.generations import Generations
from swarm_host.sinks import Sinks
from swarm_host.version import __version__
from swarm_host.visited import Visited
from swarm_host.vm.kernel import Kernel

__all__ = ["Handle", "Host", "Options", "Outcome", "Reloaded"]


class Host(Visited):
    """A run of one script. Make one with :meth:`load`.

    :ivar run_id: what it is known by.
    :ivar script: the path of its script, once that is being loaded.
    :ivar audits: those that it writes: of its own, and of layers.
    :ivar kernel: the Lua side, for who asks more than the verbs here.
    :ivar turn_address: where :func:`swarm_host.vm.turn.read_turn` reads who holds the VM.
    """

    def __init__(self, options: Options) -> None:
        self._options = options
        journal = self._journal = options.journal
        self.run_id = os.urandom(6).hex() if journal is None else journal.run_id
        self.kernel = Kernel()
        given = dict(options.ports)
        if options.token_keys and "token" not in given:
            from swarm_host.ports.token import Tokens  # costs start-up, and few runs need it

            given["token"] = Tokens(options.token_keys, self.run_id)
        if journal is not None and "files" not in given:
            from swarm_host.journal.sources import Sources

            given["files"] = Sources(journal)
        self.audits = Audits(options.audit)
        if options.audit is not None:
            from swarm_host.audit.sources import AuditedSources

            given["files"] = AuditedSources(options.audit, Ports(given).get("files"))
        self._about = {"args": len(options.args), "version": __version__}
        self._about["resumed"] = journal is not None and journal.resumed is not None
        self._ports = Ports(given)
        sinks = Sinks(options)
        names = self._ports.names() if options.spec else ()
        config = options.for_lua(self.run_id, __version__, names)
        calls: dict[str, Any] = {"note": self.audits.keep}
        if journal is not None:
            calls |= {"keep": journal.keep_rows, "find": journal.find}
        self.kernel.boot(config, sinks.flush, sinks.end, **calls)
        self.turn_address = self.kernel.turn_address()  # nobody can ask while Lua is held
        self._pump = Pump(
            self.kernel, self._ports, sinks.take, options.write_output, journal, self.audits
        )
        self.audits.on_problem = self._pump.poke
        self._generations = Generations(self.kernel, self._pump)
        self._ending = Ending(self.kernel, self._pump)
        self.script = ""
        self._began: float | None = None  # when main did, the last time

    @classmethod
    @asynccontextmanager
    async def load(cls, script: str | Path, options: Options | None = None) -> AsyncIterator[Host]:
        """Loads a script and keeps its workers going for the time of the block.

        :param script: the script's path.
        :param options: what the run is given.
        :raises LoadError: the script is missing, does not parse or defines something wrong.
        """
        host = cls(options or Options())
        async with host.pumping():
            await host.load_script(script)
            yield host

    @classmethod
    @asynccontextmanager
    async def resume(
        cls, run: str | Path, options: Options | None = None, *, again: bool = False
    ) -> AsyncIterator[Host]:
        """Goes on with a run that was journalled, for the time of the block: :meth:`run` runs its
        ``main`` from the start, and tasks that had passed do not run again. Its script is as it was
        recorded, and what it was given too.

        :param run: its id, a unique prefix, ``last``, or the path of its journal.
        :param options: what is new: ``ports``, ``write_log`` and the like.
        :param again: what was in flight runs again, whatever its worker's ``on_resume`` says.
        :raises NoJournal: there is none, it is damaged, or somebody works on the run.
        :raises LoadError: the script cannot be loaded.
        """
        from swarm_host.journal.going_on import go_on

        journal, given = go_on(run, GIVEN, again=again)
        script = given.pop("script")
        async with cls.load(
            script, replace(options or Options(), journal=journal, **given)
        ) as host:
            yield host

    @asynccontextmanager
    async def pumping(self) -> AsyncIterator[None]:
        """Drives the VM for the time of the block; at its end what is alive is cancelled.

        :raises OutOfMemory: Lua cannot go on; the block was cancelled.
        """
        problems: list[BaseException] = []
        try:
            async with anyio.create_task_group() as tasks:
                with anyio.CancelScope() as block:
                    tasks.start_soon(self._drive, block, problems)
                    try:
                        yield
                    except BaseException as raised:
                        if not isinstance(raised, Exception):
                            self.audits.hurry()  # who has the host is cancelled
                        if not self._pump.is_over:
                            problems.append(raised)
                    finally:
                        with anyio.CancelScope(shield=True):
                            await self._ending.of_host()
        finally:
            with anyio.CancelScope(shield=True):
                try:
                    await self._ports.aclose()
                    if self._journal is not None:
                        await self._journal.aclose()
                finally:
                    await self._end_audits(failed=bool(problems))
        if problems:
            raise problems[0]

    async def _end_audits(self, *, failed: bool) -> None:
        with suppress(OutOfMemory):
            self.audits.keep(*self.kernel.take_audit())  # of after the last tick
        if failed:
            self.audits.status = "failed"
        await self.audits.aclose()

    async def _drive(self, block: anyio.CancelScope, problems: list[BaseException]) -> None:
        try:
            await self._pump.run()
        except Exception as raised:
            problems.insert(0, raised)
            block.cancel()

    async def load_script(self, script: str | Path) -> None:
        """Loads the script as the newest generation.

        :raises LoadError: it cannot be loaded.
        """
        self.script = str(script)
        if self._journal is not None:
            self._journal.describe_given(self.script, self._options.given())
        self.audits.begin(self.run_id, self.script, self._about)
        try:
            await self._generations.load(script)
        except LoadError:
            self.audits.status = "load_error"
            raise
        self._note_generation()

    async def reload(self, dry_run: bool = False, *, fresh: bool = False) -> Reloaded:
        """Loads the script anew; where all is well, what it defines takes over in one step, save
        where no definition has changed.

        :param dry_run: only say what would change.
        :param fresh: take over even where no definition has changed, as before ``main`` runs again.
        :return: what changed.
        :raises LoadError: it cannot be loaded, or a hook refused; the last good generation stays.
        """
        reloaded = await self._generations.reload(dry_run, fresh)
        self._note_generation()
        return reloaded

    def _note_generation(self) -> None:
        if self._journal is None and self.audits.own is None:
            return
        newest = next((one["number"] for one in self.kernel.generations() if one["newest"]), 0)
        if self._journal is not None:
            self._journal.note_generation(newest)
        if self.audits.own is not None:
            self.audits.own.note_generation(newest, self.watched()["files"])

    def watched(self) -> dict[str, list[str]]:
        """What the newest generation came from, and the last attempt at the next: ``files``,
        ``folders`` and what is ``missing`` (:meth:`swarm_host.vm.kernel.Kernel.watched`)."""
        return self.kernel.watched()

    def on_watches(self, tell: Callable[[], None]) -> None:
        """Has a function called when :meth:`watched` has more than at the last call."""
        self._pump.on_watches = tell

    def generations(self) -> list[dict[str, Any]]:
        """The generations that are alive: ``number``, ``newest``, how many ``workers`` keep each
        alive, how many of them are not ``main`` (``besides_main``), and their ``names`` (name →
        how many)."""
        return self.kernel.generations()

    def cancel_generations_before(self, number: int, reason: str) -> None:
        """Cancels what is alive of older generations, save for ``main``: it is the run."""
        self.kernel.cancel_generations_before(number, reason)
        self._pump.poke()

    def serve(self) -> None:
        """From now on work comes from outside: :meth:`spawn` and :meth:`visit`."""
        self._began = time.monotonic()

    async def end_serving(self) -> None:
        """Cancels all work, and waits for the clean-up."""
        await self._ending.of_serving()

    async def run_beside(self, timeout: float | None = None) -> Outcome:
        """Runs ``main`` in a run that serves: what goes on beside it is neither waited for nor
        ended with it.

        :param timeout: seconds for it.
        :raises LoadError: there is no ``main``.
        """
        return await self._main(timeout).wait()

    async def run(self, timeout: float | None = None, *, again: bool = False) -> Outcome:
        """Runs ``main`` to the end, with all that it has detached.

        :param timeout: seconds that bound everything, waiting included.
        :param again: ``main`` may run once more in this host: nothing is disposed of yet.
        :return: how it ended; it does not raise for the script's own errors.
        :raises LoadError: there is no ``main``.
        """
        main, late = self._main(timeout), None
        if timeout is not None:  # Lua cannot see the time while an audit is waited for
            late = asyncio.get_running_loop().call_later(timeout, self.audits.hurry)
        try:
            return await self.run_worker(main, again=again)
        finally:
            if late is not None:
                late.cancel()

    def _main(self, timeout: float | None) -> Handle:
        try:
            main = self.kernel.spawn_main(timeout)
        except SwarmError as problem:
            raise LoadError(problem.error) from None
        self._began = time.monotonic()
        return self._handle(main)

    async def run_worker(self, main: Handle, *, again: bool = False) -> Outcome:
        """Waits for the worker that is the run, and for all that it has detached.

        :param main: the worker whose end is the run's.
        :param again: another run may follow in this host.
        :return: how the run ended.
        """
        outcome = await self._ending.of_run(main, again=again)
        if self._journal is not None:
            waits = outcome.error is not None and outcome.error["code"] == "unanswered"
            self._journal.status = "waiting" if waits else outcome.status
        self.audits.status = outcome.status
        return outcome

    def spawn(self, name: str, value: Any = None, timeout: float | None = None) -> Handle:
        """Spawns a worker by name, through the same pipeline as a script's own.

        :param name: the worker's name.
        :param value: its input: anything that JSON can say.
        :param timeout: seconds for the worker, from its start.
        :raises SwarmError: ``not_registered`` and the like; ``invalid_value``, with the ``path`` in
            Python's words, where JSON cannot say the value.
        """
        return self._handle(self.kernel.spawn(name, value, timeout))

    def listens_at(self, path: Path | None) -> None:
        """Says where requests from outside come in: programs of workers that have a token get the
        path as ``SWARM_SOCKET``."""
        self.kernel.listens_at(None if path is None else os.fsencode(path))

    async def call(self, name: str, value: Any = None) -> Any:
        """:meth:`spawn` and :meth:`Handle.result` in one. Cancelling it cancels its worker, whose
        clean-up goes on afterwards: leaving the host waits for that."""
        worker = self.spawn(name, value)
        try:
            return await worker.result()
        except BaseException:
            worker.cancel("the call was cancelled")  # nobody has it any more, if it is alive
            raise

    def spawn_spec(self, name: str) -> Handle:
        """Spawns the worker of one spec."""
        return self._handle(self.kernel.spawn_spec(name))

    async def next_tick(self) -> None:
        """Waits until the scheduler has had a turn."""
        await self._pump.next_tick().wait()

    def cancel_all(self, reason: str) -> None:
        """Cancels every live worker."""
        self.kernel.cancel_all(reason)
        self._pump.poke()

    def seconds(self) -> float:
        """For how long the run goes on: since ``main`` last began, or it began to serve."""
        return 0.0 if self._began is None else time.monotonic() - self._began
