"""The host as a library: runs that go on, events, and the verbs for who has no loop."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import anyio
import pytest

from swarm_host import Host, LoadError, NoJournal, Options, WorkerFailed, sync
from swarm_host.journal.recorder import Recorder

STEPS = """
swarm.worker "step" { run = function(_, name)
  swarm.fs.append("ran", name .. " ")
  return name
end }
swarm.worker "asks" { run = function() return swarm.ask "Go on?" end }
swarm.main(function(args)
  return { swarm.call("step", args[1]), swarm.call("asks"), swarm.call("step", "last") }
end)
"""


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "script.lua"
    path.write_text(STEPS)
    return path


def test_a_run_is_resumed_with_what_it_was_given(script: Path) -> None:
    async def first() -> None:
        journal = Recorder(path=Path("j"))
        async with Host.load(script, Options(args=["first"], journal=journal)) as host:
            with anyio.move_on_after(60):
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(host.run)
                    while not host.pending():
                        await host.next_tick()
                    tasks.cancel_scope.cancel()

    async def second() -> Any:
        async with Host.resume("./j") as host:
            async with anyio.create_task_group() as tasks:

                async def answer() -> None:
                    while not host.pending():
                        await host.next_tick()
                    await host.answer(host.pending()[0]["key"], "yes", by="Ann")

                tasks.start_soon(answer)
                outcome = await host.run()
            return outcome.status, outcome.value

    anyio.run(first)
    script.write_text("this is not Lua")  # it goes on as it was recorded
    assert anyio.run(second) == ("pass", ["first", "yes", "last"])
    assert Path("ran").read_text() == "first last "


def test_what_cannot_be_resumed_says_why(script: Path) -> None:
    async def resume(run: str) -> None:
        async with Host.resume(run):
            raise AssertionError

    with pytest.raises(NoJournal, match="there is no journal"):
        anyio.run(resume, "./none")
    Path("text").write_text("no journal")
    with pytest.raises(NoJournal):
        anyio.run(resume, "./text")


def test_events_come_until_the_host_closes(script: Path) -> None:
    seen: list[str] = []

    async def look() -> None:
        async with anyio.create_task_group() as tasks, Host.load(script) as host:

            async def listen() -> None:
                async for event in host.events("task_*"):
                    seen.append(f"{event['type']} {event['name']}")

            tasks.start_soon(listen)
            await anyio.wait_all_tasks_blocked()
            assert await host.call("step", "one") == "one"
            while "task_pass step" not in seen:
                await host.next_tick()
            with pytest.raises(WorkerFailed, match="no event is of the type"):
                async for _ in host.events("tusk_pass"):
                    pass

    anyio.run(look)
    kinds = [kind for kind in seen if kind.endswith(" step")]
    assert kinds == [
        "task_created step",
        "task_attempt_started step",
        "task_attempt_completed step",
        "task_pass step",
    ]


def test_without_a_loop(script: Path) -> None:
    with sync.Host.load(script) as host:
        assert host.call("step", "one") == "one"
        worker = host.spawn("asks")
        while not host.pending():
            assert worker.status in ("pending", "running", "suspended")
        host.answer(host.pending()[0]["key"], "yes", by="Ann")
        assert worker.result() == "yes"
        assert [event["type"] for event in worker.follow()] == ["final"]
        with pytest.raises(WorkerFailed):
            host.answer("T-99.1", "yes")
        assert host.counts()["pass"] == 2
    with pytest.raises(LoadError), sync.Host.load(script.with_name("none.lua")):
        raise AssertionError


def test_a_worker_that_computes_stops_no_loop_of_the_applications(tmp_path: Path) -> None:
    path = tmp_path / "computes.lua"
    path.write_text(
        'swarm.worker "computes" { run = function(_, n) local s = 0 '
        "for i = 1, n do s = s + i % 7 end return s end }"
    )
    ticks = 0

    async def application() -> Any:
        nonlocal ticks
        with sync.Host.load(path) as host:

            def compute() -> Any:
                return host.call("computes", 100_000_000)

            async with anyio.create_task_group() as tasks:

                async def tick() -> None:
                    nonlocal ticks
                    while True:
                        await anyio.sleep(0.005)
                        ticks += 1

                tasks.start_soon(tick)
                found = await anyio.to_thread.run_sync(compute)
                tasks.cancel_scope.cancel()
            return found

    assert anyio.run(application) > 0
    assert ticks > 5


def test_several_hosts_in_one_process(script: Path) -> None:
    found: list[str] = []

    def one(name: str) -> None:
        with sync.Host.load(script) as host:
            found.append(host.call("step", name))

    threads = [threading.Thread(target=one, args=(f"n{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(found) == ["n0", "n1", "n2", "n3"]
