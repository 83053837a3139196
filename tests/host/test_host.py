"""Host in Python: load, run, spawn, join, cancel, follow, ports."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest

from swarm_host import (
    Host,
    LoadError,
    Options,
    OutOfMemory,
    SwarmError,
    WorkerBlocked,
    WorkerCancelled,
    WorkerFailed,
    WorkerTimeout,
    ending,
)
from swarm_host.ports import Answer, Call, PortError
from tests.support.waiting import until, within

SCRIPT = """
swarm.worker "memory" { run = function()
  collectgarbage() -- what nobody holds is no matter of what is held
  return (collectgarbage "count")
end }
swarm.worker "double" { run = function(_, n) return n * 2 end }
swarm.worker "echo" { run = function(_, input) return input end }
swarm.worker "fail" { run = function() error("it broke") end }
swarm.worker "block" { run = function() return { seen = 1 }, "not yet" end }
swarm.worker "sleep" { run = function(ctx, s) ctx:progress("asleep") swarm.sleep(s) end }
swarm.worker "late" { timeout = 0.02, run = function() swarm.sleep(60) end }
swarm.worker "steps" {
  run = function(ctx)
    for i = 1, 3 do
      ctx:progress("step " .. i)
      swarm.sleep(0.005)
    end
    return "done"
  end,
}
swarm.main(function(args) return { args = args, input = swarm.input } end)
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "script.lua"
    path.write_text(SCRIPT)
    return path


def test_main_gets_its_arguments_and_its_input(script: Path) -> None:
    async def main() -> None:
        options = Options(args=["a", "b"], input={"x": [1, None]})
        async with Host.load(script, options) as host:
            outcome = await host.run()
        assert outcome.status == "pass"
        assert outcome.value == {"args": ["a", "b"], "input": {"x": [1, None]}}
        assert outcome.error is None

    within(10, main)


def test_a_worker_is_called_by_name(script: Path) -> None:
    async def main() -> None:
        async with Host.load(script) as host:
            assert await host.call("double", 21) == 42
            value = {"deep": [{"a": None}, [], {}], "text": "grün", "half": 0.5}
            assert await host.call("echo", value) == value

    within(10, main)


def test_many_calls_at_once_all_return(script: Path) -> None:
    async def main() -> None:
        async with Host.load(script) as host:
            handles = [host.spawn("double", i) for i in range(2000)]
            assert [await handle.result() for handle in handles] == [2 * i for i in range(2000)]

    within(30, main)


def test_each_end_has_an_exception_of_its_own(script: Path) -> None:
    async def main() -> None:
        async with Host.load(script) as host:
            with pytest.raises(WorkerFailed, match="it broke") as failed:
                await host.spawn("fail").join()
            assert failed.value.error["traceback"].strip().startswith(str(script))
            with pytest.raises(WorkerTimeout):
                await host.spawn("late").join()
            with pytest.raises(WorkerBlocked, match="not yet") as blocked:
                await host.call("block")
            assert blocked.value.value == {"seen": 1}
            await host.spawn("block").join()  # blocked is a completion: join does not raise

    within(10, main)


def test_a_worker_is_cancelled_and_keeps_what_it_said(script: Path) -> None:
    async def main() -> None:
        async with Host.load(script) as host:
            handle = host.spawn("sleep", 60)
            await until(lambda: bool(handle.output_tail()))
            assert handle.status == "running"
            assert handle.cancel("enough")
            with pytest.raises(WorkerCancelled) as cancelled:
                await handle.join()
            assert cancelled.value.error["reason"] == "enough"
            assert handle.status == "cancelled"
            assert not handle.cancel("again")
            assert [event["type"] for event in handle.output_tail()] == ["progress"]

    within(10, main)


def test_events_are_followed_as_they_come(script: Path) -> None:
    async def main() -> None:
        async with Host.load(script) as host:
            handle = host.spawn("steps")
            seen = [event async for event in handle.follow()]
        assert [event.get("stage") or event["type"] for event in seen] == [
            "step 1",
            "step 2",
            "step 3",
            "final",
        ]
        assert [event["seq"] for event in seen] == [1, 2, 3, 4]

    within(10, main)


def test_an_unknown_worker_is_refused_at_once(script: Path) -> None:
    async def main() -> None:
        async with Host.load(script) as host:
            with pytest.raises(SwarmError, match="did you mean double") as refused:
                host.spawn("duble")
            assert refused.value.error["code"] == "not_registered"

    within(10, main)


def test_a_wrong_script_is_a_load_error(tmp_path: Path) -> None:
    path = tmp_path / "wrong.lua"
    path.write_text("swarm.worker 'x' { run = 1 }")

    async def main() -> None:
        with pytest.raises(LoadError, match=r"wrong\.lua:1: worker \"x\": run must be a function"):
            async with Host.load(path):
                pass

    within(10, main)


def test_leaving_the_block_cancels_and_cleans_up(tmp_path: Path) -> None:
    path = tmp_path / "clean.lua"
    mark = tmp_path / "cleaned"
    path.write_text(
        f"""
        swarm.worker "w" {{
          run = function()
            pcall(swarm.sleep, 60)
            swarm.shield(function() swarm.fs.write("{mark}", "yes") end)
          end,
        }}
        """
    )

    async def main() -> None:
        async with Host.load(path) as host:
            handle = host.spawn("w")
            await until(lambda: handle.status == "running")

    within(10, main)
    assert mark.read_text() == "yes"


def test_an_exception_in_the_block_comes_out_as_it_is(script: Path) -> None:
    async def main() -> None:
        async with Host.load(script) as host:
            host.spawn("sleep", 60)
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        within(10, main)


def test_two_hosts_run_side_by_side(script: Path) -> None:
    async def main() -> None:
        async with Host.load(script) as one, Host.load(script) as two:
            assert await one.call("double", 1) == 2
            assert await two.call("double", 2) == 4

    within(10, main)


class Slow:
    """A port that is slow to begin and slow to clean up."""

    def __init__(self) -> None:
        self.log: list[str] = []

    async def __call__(self, payload: dict[str, Any], call: Call) -> Answer:
        self.log.append("begun")
        try:
            await anyio.sleep(payload.get("seconds", 60))
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.sleep(0.03)
                self.log.append("cleaned up")
        return Answer(value={"slept": True}, data=b"\xff\x00")


PORT_SCRIPT = """
swarm.worker "use" { run = function(_, name) return swarm.env(name) end }
"""


def test_a_cancelled_worker_waits_for_the_clean_up_of_its_port(tmp_path: Path) -> None:
    path, port = tmp_path / "port.lua", Slow()
    path.write_text(PORT_SCRIPT)

    async def main() -> None:
        async with Host.load(path, Options(ports={"env": port})) as host:
            handle = host.spawn("use", "X")
            await until(lambda: port.log == ["begun"])
            handle.cancel("enough")
            await anyio.sleep(0.005)
            assert handle.status == "running"
            assert port.log == ["begun"]
            with pytest.raises(WorkerCancelled):
                await handle.join()
            assert port.log == ["begun", "cleaned up"]

    within(10, main)


class Broken:
    """A port with a fault."""

    async def __call__(self, payload: dict[str, Any], call: Call) -> Answer:
        if payload["name"] == "refused":
            raise PortError("io_error", "no such thing", path="here")
        raise ZeroDivisionError("oops")


def test_what_goes_wrong_in_a_port_reaches_the_worker(tmp_path: Path) -> None:
    path = tmp_path / "port.lua"
    path.write_text(PORT_SCRIPT)

    async def main() -> None:
        async with Host.load(path, Options(ports={"env": Broken()})) as host:
            with pytest.raises(WorkerFailed) as refused:
                await host.call("use", "refused")
            assert refused.value.error["code"] == "io_error"
            assert refused.value.error["path"] == "here"
            with pytest.raises(WorkerFailed, match="ZeroDivisionError: oops") as fault:
                await host.call("use", "other")
            assert fault.value.error["code"] == "host_error"

    within(10, main)


def test_settled_workers_are_freed(script: Path) -> None:
    async def main() -> None:
        async with Host.load(script) as host:
            for _ in range(3000):
                await host.call("double", 1)
            before = await host.call("memory")
            for _ in range(10):
                for _ in range(300):
                    await host.call("double", 1)
            assert await host.call("memory") < before * 2 + 500

    within(60, main)


def test_options_bound_the_run(script: Path) -> None:
    async def main() -> None:
        path = script.with_name("long.lua")
        path.write_text("swarm.main(function() swarm.sleep(60) end)")
        async with Host.load(path) as host:
            outcome = await host.run(timeout=0.02)
        assert outcome.status == "timeout"

    within(10, main)


def test_where_lua_cannot_go_on_the_block_ends_at_once(
    script: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ending, "CLOSE_SECONDS", 600)  # not one that waits for clean-up

    def step(*_: object) -> Any:
        raise MemoryError

    async def asks() -> None:
        async with Host.load(script) as host:
            monkeypatch.setitem(host.kernel._functions, "step", step)
            await host.call("double", 1)

    async def main() -> None:
        with pytest.raises(OutOfMemory, match="memory ran out"):
            await asks()

    within(60, main)


def test_where_lua_cannot_answer_the_application_the_block_ends_too(
    script: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ending, "CLOSE_SECONDS", 600)

    def counts() -> Any:
        raise MemoryError

    async def asks() -> None:
        async with Host.load(script) as host:
            monkeypatch.setitem(host.kernel._functions, "counts", counts)
            host.counts()

    async def main() -> None:
        with pytest.raises(OutOfMemory, match="memory ran out"):
            await asks()

    within(60, main)


def test_what_takes_output_and_fails_ends_the_block_as_it_is(
    script: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ending, "CLOSE_SECONDS", 600)

    def write_out(_: bytes) -> None:
        raise OSError("no room")

    async def main() -> None:
        path = script.with_name("prints.lua")
        path.write_text("swarm.main(function() print('x') swarm.sleep(600) end)")
        with pytest.raises(OSError, match="no room"):
            async with Host.load(path, Options(write_out=write_out)) as host:
                await host.run()

    within(60, main)
