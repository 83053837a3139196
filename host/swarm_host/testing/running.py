"""Runs specs: each in a fresh host, under a virtual clock, for a bounded real time."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import anyio

from swarm_host.entries import indented, said_by
from swarm_host.errors import SwarmError
from swarm_host.host import Host, Options
from swarm_host.testing.specs import BrokenFile, Result, Spec, from_listed
from swarm_host.threads.apart import Apart, Held
from swarm_host.threads.signals import Interrupted, Signals
from swarm_host.vm.turn import read_turn

SECONDS = 30.0
"""Real seconds that one spec may take before it counts as hanging."""

SAID_BYTES = 64 * 1024
"""Of what a spec prints and logs: the last are kept."""

T = TypeVar("T")

NOT_CANCELLED = "It did not end when it was cancelled either: does a pcall swallow that for ever?"

HELD_ADVICE = "What computes for long must call swarm.yield() now and then."


class _Said:
    """What a spec printed and logged, in order."""

    def __init__(self) -> None:
        self._parts: deque[str] = deque()
        self._size = 0
        self._dropped = False

    def _put(self, text: str) -> None:
        self._parts.append(text[-SAID_BYTES:])
        self._size += len(self._parts[-1])
        while self._size > SAID_BYTES and len(self._parts) > 1:
            self._size -= len(self._parts.popleft())
            self._dropped = True

    def print(self, out: bytes) -> None:
        self._put(out.decode(errors="replace"))

    def log(self, entry: dict[str, Any]) -> None:
        if entry["level"] == "raw":
            self._put(str(entry["message"]))
            return
        self._put(f"{entry['level']}: {indented(said_by(entry))}\n")

    def text(self) -> str:
        parts = list(self._parts)
        return ("...\n" if self._dropped else "") + "".join(parts)


class Runner:
    """Loads spec files and runs their specs, one at a time.

    :param seconds: real seconds that a file may take to load, or a spec to run.
    :param seed: what random numbers in specs come from.
    :param signals: what interrupts it; None: whatever raises in the calling thread.
    :param trust: full Lua instead of the guarded environment.
    :param lua_path: further places for ``require``.
    :param helper: a module that is required before each spec file; "": none.
    :ivar files: what was loaded.
    :ivar missing: files that were looked for and are not there.
    :ivar left_behind: threads that Lua holds for good.
    """

    def __init__(
        self,
        *,
        seconds: float = SECONDS,
        seed: int | None = None,
        signals: Signals | None = None,
        trust: bool = False,
        lua_path: tuple[str, ...] = (),
        helper: str = "",
    ) -> None:
        self._seconds = seconds
        self._seed = seed
        self._signals = signals
        self._trust = trust
        self._lua_path = lua_path
        self._helper = helper
        self.files: set[str] = set()
        self.missing: set[str] = set()
        self.left_behind = 0

    def load(self, file: str) -> list[Spec] | BrokenFile:
        """Lists the specs of a file.

        :raises Interrupted: a signal came.
        """
        said = _Said()
        host = self._host(said)

        async def listed(limit: anyio.CancelScope) -> list[Spec] | BrokenFile:
            async with host.pumping():
                try:
                    with self._limited(limit):
                        await host.load_script(file)
                    if limit.cancelled_caught:
                        return BrokenFile(file, self._late(host, file, "load"), said.text())
                    return [from_listed(file, one) for one in host.specs()]
                except SwarmError as problem:
                    return BrokenFile(file, problem.error, said.text())
                finally:
                    self._note_files(host)

        try:
            return self._apart(listed)
        except Held:
            self.files.add(file)
            return BrokenFile(file, self._held(host, file, "load"), said.text())

    def run(self, spec: Spec) -> Result:
        """Runs one spec, which is not pending, in a fresh host.

        :raises Interrupted: a signal came.
        """
        said = _Said()
        host = self._host(said)
        started = time.monotonic()
        late: dict[str, Any] | None = None

        async def ran(limit: anyio.CancelScope) -> dict[str, Any] | None:
            nonlocal late
            async with host.pumping():
                try:
                    with self._limited(limit):
                        await host.load_script(spec.file)
                        outcome = await host.run_worker(host.spawn_spec(spec.name))
                        if outcome.status == "pass":
                            return None
                        return outcome.error or {"message": outcome.status}
                    late = self._late(host, spec.where, "end")
                    return late
                except SwarmError as problem:
                    return problem.error
                finally:
                    self._note_files(host)

        try:
            error = self._apart(ran)
        except Interrupted as problem:
            if problem.held:
                _kept.append(host)  # its thread is in there
                problem.holder = f"{_holder(host) or 'it'} had control: {spec.title} ({spec.where})"
            raise
        except Held:
            error = self._held(host, spec.where, "end")
            if late is not None:
                error = late | {"message": f"{late['message']}\n  {NOT_CANCELLED}"}
        seconds = time.monotonic() - started
        if error and error.get("code") == "spec_pending" and not error.get("others"):
            return Result(spec, "pending", seconds, said=said.text())
        return Result(spec, "failed" if error else "passed", seconds, error, said.text())

    def _host(self, said: _Said) -> Host:
        return Host(
            Options(
                spec=True,
                virtual_clock=True,
                closed_world=True,
                eager=True,  # the last words before an endless loop matter
                seed=self._seed,
                trust=self._trust,
                lua_path=self._lua_path,
                helper=self._helper,
                write_out=said.print,
                write_log=said.log,
            )
        )

    def _note_files(self, host: Host) -> None:
        watched = host.watched()
        self.files.update(watched["files"])
        self.missing.update(watched["missing"])

    def _limited(self, limit: anyio.CancelScope) -> anyio.CancelScope:
        limit.deadline = anyio.current_time() + self._seconds
        return limit

    def _apart(self, work: Callable[[anyio.CancelScope], Awaitable[T]]) -> T:
        try:
            return Apart(work).run(self._seconds, self._signals)
        except Interrupted as problem:
            self.left_behind += problem.held
            raise

    def _late(self, host: Host, where: str, what: str) -> dict[str, Any]:
        lines = [f"did not {what} within {self._seconds:g} s of real time"]
        for one in host.waiting():
            lines.append(
                f"  {one['task_id']} {one['name']} at {one['where']} waits for {one['waits_for']}"
            )
        return {"code": "timeout", "where": where, "message": "\n".join(lines)}

    def _held(self, host: Host, where: str, what: str) -> dict[str, Any]:
        self.left_behind += 1
        _kept.append(host)  # its thread is in there
        holder = _holder(host)
        who = f"{holder} has control and does" if holder is not None else "it does"
        return {
            "code": "timeout",
            "where": where,
            "message": f"did not {what} within {self._seconds:g} s of real time: {who} not give it "
            f"back\n  {HELD_ADVICE}",
        }


def _holder(host: Host) -> str | None:
    """Who has control and does not give it back."""
    turn = read_turn(host.turn_address)
    return None if turn.worker is None else turn.name


_kept: list[Host] = []
