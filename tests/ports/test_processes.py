"""The life of processes: streams, cancels, signals, and nothing that is left behind."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from swarm_host import WorkerFailed
from swarm_host.ports.process import children
from tests.support.processes import descriptors, gone, loaded, lua, offspring, written
from tests.support.waiting import is_alive


def test_a_thousand_workers_leave_no_descriptor_and_no_zombie(
    within: Callable[..., Any], tmp_path: Path
) -> None:
    script = """
    swarm.worker "one" {
      command = { "sh", "-c", "read x; echo $x$x" }, concurrency = 16, output = { format = "text" },
    }
    swarm.main(function(_, ctx)
      local n = tonumber(swarm.args[1])
      local handles = {}
      for i = 1, n do handles[i] = swarm.spawn("one", i .. "\\n") end
      local right = 0
      for i = 1, n do
        if swarm.result(handles[i]) == i .. "" .. i then right = right + 1 end
      end
      return right
    end)
    """
    before = set(offspring())

    async def main() -> None:
        async with loaded(tmp_path, script, args=["20"]) as host:
            await host.run()
            at_rest = descriptors()
        async with loaded(tmp_path, script, args=["1000"]) as host:
            assert (await host.run()).value == 1000
            assert abs(descriptors() - at_rest) <= 1

    within(120, main)
    assert set(offspring()) <= before


def test_three_megabytes_go_through_cat_both_ways(
    within: Callable[..., Any], tmp_path: Path
) -> None:
    script = """
    swarm.worker "cat" { command = { "cat" }, output = { format = "text" } }
    swarm.main(function()
      local text = ("\\255\\0x"):rep(1000000)
      return swarm.call("cat", text) == text and swarm.exec{ "cat", stdin = text }.stdout == text
    end)
    """

    async def main() -> None:
        async with loaded(tmp_path, script) as host:
            assert (await host.run()).value is True

    within(20, main)


def test_a_child_that_floods_stderr_before_it_reads_does_not_lock(
    within: Callable[..., Any], tmp_path: Path
) -> None:
    code = (
        "import sys; sys.stderr.write('x' * 99 + '\\n' * 1); "
        "[sys.stderr.write('line %d\\n' % i) for i in range(200000)]; "
        "print(len(sys.stdin.read()))"
    )
    script = f"""
    swarm.worker "flood" {{
      command = {{ {lua(sys.executable)}, "-c", {lua(code)} }}, output = {{ format = "text" }},
    }}
    """

    async def main() -> None:
        async with loaded(tmp_path, script) as host:
            worker = host.spawn("flood", "y" * 3_000_000)
            assert await worker.result() == "3000000"
            tail = worker.output_tail()
            assert len(tail) == 10000
            assert tail[-2]["note"] == "line 199999"
            assert tail[-2]["stage"] == "stderr"

    within(60, main)


def test_stderr_comes_while_the_child_runs(within: Callable[..., Any], tmp_path: Path) -> None:
    script = """swarm.worker "w" { shell = "echo early >&2; exec sleep 60" }"""

    async def main() -> None:
        async with loaded(tmp_path, script) as host:
            worker = host.spawn("w")
            async for event in worker.follow():
                assert event["note"] == "early"
                break
            assert worker.status == "running"
            worker.cancel()
            outcome = await worker.wait()
            assert outcome.status == "cancelled"
            assert worker.output_tail()[0]["note"] == "early"

    within(10, main)


def test_what_a_child_says_as_it_is_ended_is_heard(
    within: Callable[..., Any], tmp_path: Path
) -> None:
    script = """
    swarm.worker "w" {
      shell = "trap 'echo bye >&2; exit' TERM; sleep 60 & sleep 0.1; echo hi >&2; wait",
    }
    """

    async def main() -> None:
        async with loaded(tmp_path, script) as host:
            worker = host.spawn("w")
            async for _ in worker.follow():
                break
            worker.cancel()
            await worker.wait()
            assert [event["note"] for event in worker.output_tail()] == ["hi", "bye"]

    within(10, main)


def test_a_cancel_ends_the_whole_group(within: Callable[..., Any], tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    script = f"""
    swarm.worker "w" {{ shell = "sleep 60 & sleep 61 & echo $$ $! > {pids}; wait" }}
    """

    async def main() -> None:
        async with loaded(tmp_path, script) as host:
            worker = host.spawn("w")
            found = [int(pid) for pid in (await written(pids)).split()]
            worker.cancel()
            assert (await worker.wait()).status == "cancelled"
            await gone(*found)

    within(10, main)


def test_who_does_not_hear_sigterm_is_killed_after_kill_after(
    within: Callable[..., Any], tmp_path: Path
) -> None:
    pids = tmp_path / "pids"
    script = f"""
    swarm.worker "deaf" {{
      shell = "trap '' TERM; sleep 60 & echo $$ $! > {pids}; wait; sleep 60", kill_after = 0.3,
    }}
    """

    async def main() -> None:
        async with loaded(tmp_path, script) as host:
            worker = host.spawn("deaf")
            deaf = await written(pids)
            begun = time.monotonic()
            worker.cancel()
            assert (await worker.wait()).status == "cancelled"
            assert time.monotonic() - begun >= 0.3
            await gone(*map(int, deaf.split()))

    within(30, main)


def test_a_child_that_is_stopped_ends_too(within: Callable[..., Any], tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    script = f"""swarm.worker "w" {{ shell = "echo $$ > {pids}; kill -STOP $$; sleep 60",
      kill_after = 600 }}"""

    async def main() -> None:
        async with loaded(tmp_path, script) as host:
            worker = host.spawn("w")
            pid = int(await written(pids))
            worker.cancel()
            await worker.wait()
            await gone(pid)

    within(30, main)


@pytest.mark.parametrize("how", ["sleep 60 &", "(sleep 60 & sleep 61) &", "setsid sleep 5 &"])
def test_a_grandchild_that_holds_the_pipe_does_not_hang_the_worker(
    within: Callable[..., Any], tmp_path: Path, how: str
) -> None:
    script = f"""
    swarm.worker "w" {{ shell = "echo said; {how}", output = {{ format = "text" }} }}
    """

    async def main() -> None:
        async with loaded(tmp_path, script) as host:
            assert await host.call("w") == "said"

    within(4, main)


def test_a_grandchild_that_never_stops_talking_does_not_hang_the_worker(
    within: Callable[..., Any], tmp_path: Path
) -> None:
    pids = tmp_path / "pids"
    script = f"""
    swarm.worker "w" {{
      shell = "(while :; do echo more; sleep 0.05; done) & echo $! > {pids}; echo said",
      output = {{ format = "text" }},
    }}
    """

    async def main() -> None:
        async with loaded(tmp_path, script) as host:
            assert "said" in await host.call("w")
            await gone(int(pids.read_text()))

    within(20, main)


def test_the_last_bytes_are_read_however_long_lua_computes(
    within: Callable[..., Any], tmp_path: Path
) -> None:
    script = """
    swarm.worker "w" {
      command = { "sh", "-c", "head -c 60000 /dev/zero; head -c 100 /dev/zero | tr '\\\\0' e >&2" },
      output = { format = "text" },
    }
    swarm.main(function()
      local h = swarm.spawn("w")
      swarm.sleep(0)
      local begun = os.clock()
      while os.clock() - begun < 1 do end
      return #swarm.result(h)
    end)
    """

    async def main() -> None:
        async with loaded(tmp_path, script) as host:
            assert (await host.run()).value == 60000

    within(20, main)


def test_the_end_of_the_host_ends_its_children(within: Callable[..., Any], tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    script = f"""
    swarm.worker "w" {{ shell = "trap '' TERM; echo $$ > {pids}; sleep 60", kill_after = 0.2 }}
    """

    async def main() -> None:
        async with loaded(tmp_path, script) as host:
            host.spawn("w")
            pid = int(await written(pids))
        assert not is_alive(pid)

    within(10, main)


def test_an_exception_in_the_host_leaves_no_child(
    within: Callable[..., Any], tmp_path: Path
) -> None:
    pids = tmp_path / "pids"
    script = f"""swarm.worker "w" {{ shell = "echo $$ > {pids}; sleep 60" }}"""

    async def main() -> None:
        async def broken() -> None:
            async with loaded(tmp_path, script) as host:
                host.spawn("w")
                await written(pids)
                raise RuntimeError

        with pytest.raises(RuntimeError):
            await broken()
        assert not is_alive(int(pids.read_text()))

    within(10, main)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_no_child(tmp_path: Path, number: signal.Signals) -> None:
    pids = tmp_path / "pids"
    script = tmp_path / "script.lua"
    script.write_text(
        f"""
        swarm.worker "w" {{ shell = "sleep 60 & echo $$ $! > {pids}; wait" }}
        swarm.main(function() swarm.call("w") end)
        """
    )
    host = subprocess.Popen(
        [sys.executable, "-m", "swarm_host", str(script)], stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + 20
        while not (pids.exists() and pids.read_text().endswith("\n")):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        found = [int(pid) for pid in pids.read_text().split()]
        host.send_signal(number)
        assert host.wait(20) == 128 + number
    finally:
        host.kill()
        host.wait()
    assert not any(map(is_alive, found))


def test_kill_all_leaves_nobody(within: Callable[..., Any], tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    script = f"""
    swarm.worker "w" {{ shell = "trap '' TERM; sleep 60 & echo $$ $! > {pids}; wait; sleep 9" }}
    swarm.worker "next" {{ shell = "exit 0" }}
    """

    async def main() -> None:
        async with loaded(tmp_path, script) as host:
            worker = host.spawn("w")
            found = [int(pid) for pid in (await written(pids)).split()]
            children.kill_all()
            assert not any(map(is_alive, found))
            outcome = await worker.wait()
            assert outcome.status == "failed"
            assert outcome.error is not None
            assert "the guardian of its processes has ended" in outcome.error["message"]
            assert (await host.spawn("next").wait()).status == "pass"

    within(10, main)


def test_too_much_output_stops_the_child(within: Callable[..., Any], tmp_path: Path) -> None:
    script = """swarm.worker "yes" { command = { "yes" }, limits = { output = 100000 } }"""

    async def main() -> None:
        async with loaded(tmp_path, script) as host:
            with pytest.raises(WorkerFailed, match="more than 100000 bytes") as caught:
                await host.call("yes")
            assert caught.value.error["code"] == "process_failed"
            assert caught.value.error["signal"] == "SIGTERM"

    within(10, main)
