"""One run: a VM, its pump and its ports, for a script."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio

from swarm_host import errors
from swarm_host.handle import Handle
from swarm_host.options import Options
from swarm_host.outcome import Outcome, Reloaded
from swarm_host.ports.contract import Ports
from swarm_host.ports.env import Env
from swarm_host.ports.files import Files
from swarm_host.pump import Pump
from swarm_host.version import __version__
from swarm_host.vm import VM, never_raises

__all__ = ["Handle", "Host", "Options", "Outcome", "Reloaded"]


class Host:
    """A run of one script. Make one with :meth:`load`.

    :ivar holder_address: where :func:`swarm_host.holder.read_turn` reads who holds the VM.
    """

    def __init__(self, options: Options) -> None:
        self._options = options
        self.run_id = os.urandom(6).hex()
        self._vm = VM()
        ports = Ports()
        ports.add("files", Files())
        ports.add("env", Env())
        ports.add_class("process", "swarm_host.ports.process:Process")
        ports.add_class("http", "swarm_host.ports.http:Http")
        ports.add_class("schema", "swarm_host.ports.schema:Schemas")
        for name, port in options.ports.items():
            ports.add(name, port)
        self._pump = Pump(self._vm, ports, self._said)
        self._release = self._vm.function("release")
        self._reloading = anyio.Lock()
        config = {
            "args": list(options.args),
            "input": options.input,
            "run_id": self.run_id,
            "version": __version__,
            "trust": options.trust,
            "lua_path": list(options.lua_path),
            "virtual": options.virtual_clock,
            "debug": options.debug,
            "spec": options.spec,
            "events": options.write_events is not None,
            "closed_world": options.closed_world,
            "eager": options.eager,
        }
        if options.input is None:
            del config["input"]
        if options.seed is not None:
            config["seed"] = options.seed
        if options.spec:
            config["ports"] = ports.names()
        self._vm.function("boot")(json.dumps(config).encode(), never_raises(self._flush))
        self.holder_address = int(self._vm.function("holder_address")())

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

    @asynccontextmanager
    async def pumping(self) -> AsyncIterator[None]:
        """Drives the VM for the time of the block; at its end what is alive is cancelled."""
        problem: BaseException | None = None
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._pump.run)
            try:
                yield
            except BaseException as raised:
                problem = raised
            finally:
                with anyio.CancelScope(shield=True):
                    await self._close()
        if problem is not None:
            raise problem

    async def _close(self) -> None:
        self.cancel_all("the host is closing")
        with anyio.move_on_after(5):
            while self.counts()["live"]:
                await self.next_tick()
        await self._dispose()
        self._pump.stop()

    async def _dispose(self) -> None:
        """Runs what scripts want done at the end of the run."""
        if self._vm.function("dispose")():
            self._pump.poke()
            idle = self._vm.function("idle")
            while not idle():
                await self.next_tick()

    async def reload(self, dry_run: bool = False) -> Reloaded:
        """Loads the script anew; where all is well, what it defines takes over in one step.

        :param dry_run: only say what would change.
        :return: what changed.
        :raises LoadError: it cannot be loaded, or a hook refused; the last good generation stays.
        """
        async with self._reloading:
            started = anyio.current_time()
            worker = Handle(self, int(self._vm.function("reload")(dry_run)))
            try:
                outcome = await worker.wait()
            except anyio.get_cancelled_exc_class():
                worker.cancel("the reload was cancelled")
                raise
            if outcome.error is not None:
                raise errors.LoadError(outcome.error)
            return Reloaded(seconds=anyio.current_time() - started, **outcome.value)

    def watched(self) -> dict[str, list[str]]:
        """What the newest generation came from, and the last attempt at the next.

        :return: ``files`` that were read, ``folders`` that were listed, and ``missing``: files that
            were looked for and are not there. Paths as the script wrote them.
        """
        watched: dict[str, list[str]] = json.loads(self._vm.function("watched")())
        return watched

    def on_watches(self, tell: Callable[[], None]) -> None:
        """Has a function called when :meth:`watched` has more than at the last call."""
        self._pump.on_watches = tell

    def generations(self) -> list[dict[str, Any]]:
        """The generations that are alive: ``number``, ``newest``, how many ``workers`` keep each
        alive, how many of them are not ``main`` (``besides_main``), and their ``agents`` (name →
        how many)."""
        alive: list[dict[str, Any]] = json.loads(self._vm.function("generations")())
        return alive

    def cancel_generations_before(self, number: int, reason: str) -> None:
        """Cancels what is alive of older generations, save for ``main``: it is the run."""
        self._vm.function("cancel_generations_before")(number, reason.encode())
        self._pump.poke()

    async def load_script(self, script: str | Path) -> None:
        """Loads the script as the newest generation.

        :raises LoadError: it cannot be loaded.
        """
        path = str(script)
        folder = os.path.dirname(path)  # noqa: PTH120 - keeps the author's spelling of the path
        load = self._vm.function("load")
        worker = load(os.fsencode(path), os.fsencode(folder + "/" if folder else ""))
        outcome = await Handle(self, int(worker)).wait()
        if outcome.status == "cancelled":
            raise errors.WorkerCancelled(outcome.error or {})
        if outcome.error is not None:
            raise errors.LoadError(outcome.error)

    def describe(self) -> dict[str, Any]:
        """What the newest generation defines: ``workers`` by name, and where ``main`` is."""
        described: dict[str, Any] = json.loads(self._vm.function("describe")())
        return described

    async def run(self, timeout: float | None = None, *, again: bool = False) -> Outcome:
        """Runs ``main`` to the end, with all that it has detached.

        :param timeout: seconds that bound everything, waiting included.
        :param again: ``main`` may run once more in this host: nothing is disposed of yet.
        :return: how it ended; it does not raise for the script's own errors.
        :raises LoadError: there is no ``main``.
        """
        spawned = self._vm.function("spawn_main")(timeout)
        main = Handle(self, self._spawned(spawned, errors.LoadError))
        return await self.run_worker(main, again=again)

    async def run_worker(self, main: Handle, *, again: bool = False) -> Outcome:
        """Waits for the worker that is the run, and for all that it has detached.

        :param main: the worker whose end is the run's.
        :param again: another run may follow in this host.
        :return: how the run ended.
        """
        finishing = self._vm.function("finishing")
        outcome = await main.wait()
        while not (over := finishing(main.id)):
            if over is None:
                self._pump.poke()
            await self.next_tick()
        if not again:
            await self._dispose()
        run_error = self._vm.function("run_error")()
        if run_error is not None:
            error = json.loads(run_error)
            if outcome.status in ("pass", "blocked") or error["code"] == "deadlock":
                return Outcome("failed", None, error)
        return outcome

    def spawn(self, name: str, value: Any = None, timeout: float | None = None) -> Handle:
        """Spawns a worker by name, through the same pipeline as a script's own.

        :param name: the worker's name.
        :param value: its input: anything that JSON can say.
        :param timeout: seconds for the worker, from its start.
        :raises SwarmError: ``not_registered`` and the like.
        """
        text = None if value is None else json.dumps(value).encode()
        spawned = self._vm.function("spawn")(name.encode(), text, timeout)
        return Handle(self, self._spawned(spawned, errors.SwarmError))

    async def call(self, name: str, value: Any = None) -> Any:
        """:meth:`spawn` and :meth:`Handle.result` in one."""
        return await self.spawn(name, value).result()

    def specs(self) -> list[dict[str, Any]]:
        """The specs of a spec file: ``name``, ``where``, ``first``, ``last``, ``pending``.

        ``first`` and ``last`` are lines; ``groups``, from the outside in, have ``name`` and lines.
        """
        listed: list[dict[str, Any]] = json.loads(self._vm.function("specs")())
        return listed

    def spawn_spec(self, name: str) -> Handle:
        """Spawns the worker of one spec."""
        worker = Handle(self, int(self._vm.function("spawn_spec")(name.encode())))
        self._pump.poke()
        return worker

    def waiting(self) -> list[dict[str, Any]]:
        """Who waits: ``agent``, ``task_id``, ``waits_for``, ``where`` of the first live workers."""
        listed: list[dict[str, Any]] = json.loads(self._vm.function("waiting")())
        return listed

    def cancel_all(self, reason: str) -> None:
        """Cancels every live worker."""
        self._vm.function("cancel_all")(reason.encode())
        self._pump.poke()

    def counts(self) -> dict[str, int]:
        """How many workers are live and running, and how many have ended in each way."""
        names = ("live", "running", "pass", "blocked", "failed", "cancelled", "timeout")
        return dict(zip(names, map(int, self._vm.function("counts")()), strict=True))

    # What handles ask for. -------------------------------------------------------------------

    async def outcome_of(self, worker: int) -> Outcome:
        """Waits for a worker and says how it ended."""
        self._pump.poke()
        if self.status_of(worker) in ("pending", "running", "suspended"):
            await self._pump.settled(worker).wait()
        status, is_text, value, error = self._vm.function("outcome")(worker)
        data: Any = value
        if value is not None:
            data = _text(value) if is_text else json.loads(value)
        return Outcome(status.decode(), data, None if error is None else json.loads(error))

    def status_of(self, worker: int) -> str:
        """A worker's status now."""
        status: bytes = self._vm.function("status")(worker)
        return status.decode()

    def tail_of(self, worker: int, since: int) -> list[dict[str, Any]]:
        """A worker's events with a ``seq`` above ``since``."""
        events: list[dict[str, Any]] = json.loads(self._vm.function("tail")(worker, since))
        return events

    def cancel_worker(self, worker: int, reason: str) -> bool:
        """Asks a worker to end."""
        live: bool = self._vm.function("cancel")(worker, reason.encode())
        self._pump.poke()
        return live

    async def next_tick(self) -> None:
        """Waits until the scheduler has had a turn."""
        await self._pump.next_tick().wait()

    def forget(self, worker: int) -> None:
        """Python no longer asks for a worker: Lua may free it."""
        self._release(worker)

    def _spawned(self, answer: tuple[bool, Any], kind: type[errors.SwarmError]) -> int:
        ok, found = answer[0], answer[1]
        if not ok:
            raise kind(json.loads(found))
        self._pump.poke()
        return int(found)

    def _flush(self, out: object, lines: object) -> None:
        if isinstance(out, bytes) and isinstance(lines, bytes):
            self._said(out, lines, b"")

    def _said(self, out: bytes, lines: bytes, events: bytes) -> None:
        """Hands on what was said in a tick."""
        if out:
            (self._options.write_out or _write_stdout)(out)
        if lines and self._options.write_log is not None:
            for line in lines.splitlines():
                self._options.write_log(json.loads(line))
        if events and self._options.write_events is not None:
            self._options.write_events(events)


def _write_stdout(out: bytes) -> None:
    sys.stdout.buffer.write(out)
    sys.stdout.buffer.flush()


def _text(value: bytes) -> str | bytes:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value
