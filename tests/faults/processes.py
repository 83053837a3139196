"""Processes that misbehave, in every form of output, however they are fed and ended.

After each fault its worker has the status and the error that it should have, none of what came of
the program is left, and no descriptor is.
"""

from __future__ import annotations

import collections
import os
import random
import resource
import signal
import sys
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio

from swarm_host import Host, Options, WorkerFailed
from tests.faults.ills import (
    CANCELLED,
    FAILED,
    FORMATS,
    IDLE,
    ILLS,
    LINGERS,
    PASS,
    READERS,
    SESSIONS,
    SOURCES,
    TERMINALS,
    TIMEOUT,
    Came,
)
from tests.faults.signals import marked
from tests.support.processes import descriptors, offspring

SCRIPT = Path(__file__).with_name("processes.lua")

AT_ONCE = 6
HANG_SECONDS = 60.0
"""How long one fault may take, on a machine that is busy."""
GONE_SECONDS = 2.0
"""How long what came of a program may take to go after its worker has settled."""


def run(seed: int, count: int) -> list[str]:
    """Tries so many faults. Returns what went wrong, a line each; how many there were of each kind
    is printed."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "input").write_bytes(b"x" * 99 + b"\n")
        before, tempfile.tempdir = tempfile.tempdir, folder
        try:
            return anyio.run(_run, random.Random(seed), count, Path(folder))
        finally:
            tempfile.tempdir = before


async def _run(chance: random.Random, count: int, folder: Path) -> list[str]:
    given = {
        "file": str(folder / "input"),
        "ills": {name: {"shell": ill.shell, **ill.more} for name, ill in ILLS.items()},
        "sessions": {name: {"shell": one.shell} for name, one in SESSIONS.items()},
    }
    async with Host.load(SCRIPT, Options(input=given, write_log=lambda _: None)) as host:
        tried = _Tries(host, folder, chance)
        await tried.run(count)
    for kind, times in sorted(tried.kinds.items()):
        print(f"{times:5} {kind}", file=sys.stderr)
    return tried.wrong


@dataclass
class _Fault:
    """One of them.

    :ivar kind: by which it is counted.
    :ivar call: the worker of the script that tries it, and its input.
    :ivar wanted: what may come of it.
    """

    kind: str
    call: str
    one: dict[str, Any]
    wanted: list[Came]
    mark: str = field(default_factory=lambda: uuid.uuid4().hex)

    def __str__(self) -> str:
        return f"{self.kind}: {self.one}"


class _Tries:
    """Tries faults in a host.

    :ivar wrong: what went wrong.
    :ivar kinds: how many there were.
    """

    def __init__(self, host: Host, folder: Path, chance: random.Random) -> None:
        self._host, self._folder, self._chance = host, folder, chance
        self._open = self._files = 0
        self.wrong: list[str] = []
        self.kinds: collections.Counter[str] = collections.Counter()

    async def run(self, count: int) -> None:
        await self._try([self._process("fails", "text", "alone", "none")])  # the first starts more
        self._open = descriptors()
        while self.kinds.total() < count and len(self.wrong) < 20:
            makes = [self._random, self._random, self._random, self._random, self._session]
            if self._chance.random() < 0.15:
                await self._alone()
            else:
                await self._try([self._chance.choice(makes)() for _ in range(AT_ONCE)])

    # What is tried. --------------------------------------------------------------------------

    def _random(self) -> _Fault:
        chance = self._chance
        while True:
            name, form = chance.choice([*ILLS]), chance.choice(FORMATS)
            if name == "writes much":
                continue  # no form has it as its item
            way = chance.choice(["alone", "cancel", "timeout", "idle", "linger", "pty"])
            source = chance.choice(SOURCES)
            ill = ILLS[name]
            if way == "pty" and not (ill.pty and form in TERMINALS and source != "endless"):
                continue
            if way == "linger" and not (ill.is_final and form in LINGERS):
                continue
            endless = not ill.alone or (name in READERS and source == "endless")
            if way == "alone" and endless:
                continue
            return self._process(name, form, way, source)

    def _process(self, name: str, form: str, way: str, source: str) -> _Fault:
        chance, ill = self._chance, ILLS[name]
        wanted = list(ill.alone)
        worker = f"{name}/{form}"
        one: dict[str, Any] = {"source": source}
        if way in ("idle", "linger", "pty"):
            worker += f"/{way}"
        if source == "failing":
            wanted.append(FAILED)
        if way == "cancel":
            one["cancel"] = round(chance.random() * 0.08, 3)
            wanted.append(CANCELLED)
        elif way == "linger":
            wanted.append(PASS)
        elif way == "idle":
            wanted.append(IDLE)
        if way == "timeout" or (
            way in ("idle", "pty") and not (ill.alone or (way == "idle" and ill.is_silent))
        ):
            one["timeout"] = round(0.02 + chance.random() * 0.1, 3)
            wanted.append(TIMEOUT)
        elif way == "idle" and name in READERS and source == "endless":
            one["timeout"] = 0.3
            wanted.append(TIMEOUT)
        one["worker"] = worker
        return _Fault(f"{way}: {name}", "try", one, wanted)

    def _session(self) -> _Fault:
        chance = self._chance
        name = chance.choice([*SESSIONS])
        session = SESSIONS[name]
        one: dict[str, Any] = {"worker": f"held/{name}/{chance.choice(['lines', 'ndjson'])}"}
        one["count"] = chance.randint(1, 4)
        codes = {*session.codes}
        way = chance.choice(["alone", "close", "cancel", "timeout"])
        if way == "timeout" or not session.ends:
            one["timeout"] = round(0.02 + chance.random() * 0.1, 3)
            codes |= {"timeout", "token_revoked"}
        if way in ("close", "cancel"):
            one[way] = chance.randint(1, one["count"])
            codes |= {"token_revoked", *(["cancelled"] if way == "cancel" else [])}
        if chance.random() < 0.5:
            one["pause"] = 0.02
        return _Fault(f"held open: {name}", "hold", one, [{"code": code} for code in codes])

    async def _alone(self) -> None:
        """Faults of the whole host, one at a time."""
        kind = self._chance.choice(["descriptors", "disk", "guardian"])
        if kind == "descriptors":
            name = self._chance.choice(["fails", "floods stderr", "its child holds the pipes"])
            fault = self._process(name, self._chance.choice(FORMATS), "alone", "none")
            fault.wanted.append(FAILED)
            most = max(int(fd.name) for fd in os.scandir("/proc/self/fd")) + self._chance.randint(
                0, 12
            )
            with _limited(resource.RLIMIT_NOFILE, most):
                came = await self._call(fault)
        elif kind == "disk":
            fault = self._process("writes much", "file", "alone", "none")
            fault.wanted = [FAILED]
            with _limited(resource.RLIMIT_FSIZE, self._chance.randint(1, 100_000)):
                came = await self._call(fault)
        else:
            name = self._chance.choice(["does not read", "ignores SIGTERM", "many children"])
            fault = self._process(name, "text", "cancel", "none")
            fault.one["cancel"] = 0.5
            fault.wanted.append(FAILED)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._kill_guardian, self._chance.random() * 0.1)
                came = await self._call(fault)
        fault.kind = kind
        self._judge(fault, came)
        after = self._process("fails", "text", "alone", "none")  # it has a guardian again
        self._judge(after, await self._call(after))
        await self._look([fault, after])

    async def _kill_guardian(self, seconds: float) -> None:
        await anyio.sleep(seconds)
        for pid in offspring():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    # What comes of it. -----------------------------------------------------------------------

    async def _try(self, faults: list[_Fault]) -> None:
        came: dict[str, Any] = {}

        async def one(fault: _Fault) -> None:
            came[fault.mark] = await self._call(fault)

        async with anyio.create_task_group() as tasks:
            for fault in faults:
                tasks.start_soon(one, fault)
        for fault in faults:
            self._judge(fault, came[fault.mark])
        await self._look(faults)

    async def _call(self, fault: _Fault) -> Any:
        try:
            with anyio.fail_after(HANG_SECONDS):
                return await self._host.call(fault.call, {**fault.one, "mark": fault.mark})
        except TimeoutError:
            return {"status": "hangs"}
        except WorkerFailed as problem:
            return {"status": "failed", "error": problem.error}

    def _judge(self, fault: _Fault, came: Any) -> None:
        self.kinds[fault.kind] += 1
        for one in came if isinstance(came, list) else [came]:
            if fault.one["worker"].split("/")[1] == "file":
                self._files += _keeps_its_output(one)
            if not any(wanted.items() <= {"code": None, **one}.items() for wanted in fault.wanted):
                self.wrong.append(f"{fault}: came to {one}")

    async def _look(self, faults: list[_Fault]) -> None:
        """Whether something is left."""
        for fault in faults:
            left = marked(fault.mark.encode())
            if left:
                self.wrong.append(f"{fault}: {len(left)} processes are left: {_names(left)}")
            for pid in left:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        outputs = [*self._folder.glob("swarm-output-*/*"), *self._folder.glob("swarm-prompt-*")]
        # One that was stopped as it ended may have left its file: nobody was there to be told.
        stopped = sum(
            "/file" in fault.one["worker"] and not fault.kind.startswith("alone")
            for fault in faults
        )
        if not self._files <= len(outputs) <= self._files + stopped:
            what = ", ".join(map(str, faults))
            self.wrong.append(f"{len(outputs)} files in place of {self._files} are left by {what}")
        for path in outputs:
            path.unlink()
        self._files = 0
        if self._open:
            now = descriptors()
            if now != self._open:
                what = ", ".join(map(str, faults))
                self.wrong.append(f"{now - self._open} descriptors are left by one of {what}")
                self._open = now
        live = self._host.counts()["live"]
        if live:
            self.wrong.append(f"{live} workers are left by one of {', '.join(map(str, faults))}")


def _keeps_its_output(came: Came) -> bool:
    """Whether somebody was told the name of the file that it is in."""
    message = came.get("message", "")
    if 'worker "failing"' in message:
        return False  # how its source ended
    return came["status"] == "pass" or "exit code" in message or ": ended by" in message


@contextmanager
def _limited(what: int, most: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(what)
    resource.setrlimit(what, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(what, (soft, hard))


def _names(pids: list[int]) -> list[str]:
    names = []
    for pid in pids:
        with suppress(OSError):
            names.append(Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode())
    return names
