"""Streams of processes, seen from outside: latency, back-pressure, memory, real time, ends."""

from __future__ import annotations

import asyncio
import errno
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from swarm_host import WorkerFailed, WorkerTimeout
from swarm_host.ports.process import port
from swarm_host.ports.process.framing import Broken, Frames, Lines, Plain, ServerSent
from swarm_host.ports.process.pipes import Pipes
from swarm_host.ports.secrets import Mask
from tests.faults.played import Played
from tests.support.processes import descriptors, loaded, offspring

SOON = 0.02
"""Seconds within which a follower sees what a child writes, on a machine that has time."""


def resident() -> float:
    """MB of this process that are in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE") / 1e6


def test_a_follower_sees_an_event_at_once(within: Callable[..., Any], tmp_path: Path) -> None:
    """The child says when it wrote; the quickest of many shows what the host takes."""
    script = f"""
    swarm.worker "ticks" {{
      command = {{ "{sys.executable}", "-u", "-c", [[
import time
for _ in range(20):
    print(time.time())
    time.sleep(0.02)
]] }},
      output = {{ format = "lines" }},
    }}
    """
    late: list[float] = []

    async def main() -> None:
        async with loaded(tmp_path, script) as host:
            async for event in host.spawn("ticks").follow():
                if event["type"] == "partial":
                    late.append(time.time() - float(event["chunk"]["value"]))

    within(20, main)
    assert len(late) == 20
    assert sorted(late)[5] < SOON, late


def test_a_child_that_nobody_takes_from_is_held_back(
    within: Callable[..., Any], tmp_path: Path
) -> None:
    """It counts what it could write: no more than the pipe and two pieces hold."""
    written = tmp_path / "written"
    script = f"""
    local gate = swarm.state("gate", swarm.event)
    swarm.worker "flood" {{
      command = {{ "{sys.executable}", "-u", "-c", [[
import os
line, total = b'{{"a": "' + b"x" * 1000 + b'"}}\\n', 0
while total < 20_000_000:
    total += os.write(1, line)
    if total % 100 == 0:
        open("{written}", "w").write(str(total))
open("{written}", "w").write(str(total))
]] }},
      output = {{
        format = "ndjson",
        final = "last",
        event = function() gate:wait() end,
      }},
    }}
    swarm.worker "open" {{ run = function() gate:set() end }}
    """

    async def main() -> None:
        async with loaded(tmp_path, script) as host:
            h = host.spawn("flood")
            seen = -1
            while True:  # until it writes no more
                await anyio.sleep(0.3)
                now = int(written.read_text() or 0) if written.exists() else 0
                if now == seen > 0:
                    break
                seen = now
            assert 0 < seen < 1_000_000
            await host.call("open")
            assert (await h.result())["a"]
            assert int(written.read_text()) >= 20_000_000

    within(60, main)


def test_whom_others_wait_for_needs_no_turn(
    within: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There are four turns, and each of six would take one and wait for another."""
    monkeypatch.setattr(port, "DESCRIPTORS_EACH", 10**9)
    script = """
    swarm.worker "numbers" { shell = "seq 1 50", output = { format = "lines" } }
    swarm.worker "count" { command = { "wc", "-l" }, output = { format = "json" },
      stdin = function() return swarm.spawn "numbers" end }
    swarm.worker "asks" { shell = "echo 1; sleep 0.2", output = { format = "ndjson",
      final = "last", event = function() swarm.exec { "sleep", "0.2" } end } }
    swarm.worker "echo" { command = { "cat" }, output = { format = "ndjson" } }
    swarm.worker "six" {
      run = function(_, name)
        return swarm.map(function() return swarm.call(name) end, { 1, 2, 3, 4, 5, 6 })
      end,
    }
    swarm.worker "open" {
      run = function()
        local list, said = {}, {}
        for i = 1, 6 do list[i] = swarm.open "echo" end
        for i = 1, 6 do said[i] = list[i]:invoke(i) end
        said[7] = swarm.exec { "echo", "7" }.stdout
        return said
      end,
    }
    """

    async def main() -> None:
        async with loaded(tmp_path, script) as host:
            assert await host.call("six", "count") == [50] * 6
            assert await host.call("six", "asks") == [1] * 6
            assert await host.call("open") == [1, 2, 3, 4, 5, 6, "7\n"]

    within(60, main)


def test_a_stream_of_any_length_takes_no_memory(within: Callable[..., Any], tmp_path: Path) -> None:
    script = """
    swarm.worker "long" { shell = "yes '{\\"a\\":[1,2,3]}' | head -c 60000000",
      output = { format = "ndjson", final = "last", event = function() end } }
    swarm.worker "cat" { command = { "wc", "-c" }, output = { format = "text" },
      stdin = function(_, path) return swarm.file(path) end }
    """
    big = tmp_path / "big"
    with big.open("wb") as file:
        file.truncate(200_000_000)

    async def main() -> None:
        async with loaded(tmp_path, script) as host:
            await host.call("cat", str(big))  # what grows once has grown
            before = resident()
            assert await host.call("long") == {"a": [1, 2, 3]}
            assert (await host.call("cat", str(big))).strip() == "200000000"
            assert resident() - before < 40

    within(60, main)


def test_time_limits_count_real_seconds(within: Callable[..., Any], tmp_path: Path) -> None:
    script = """
    swarm.worker "first" { command = { "true" } }
    swarm.worker "held" { shell = "read x; sleep 60", output = { format = "lines" } }
    swarm.worker "open" { run = function()
      local s = swarm.open("held", { timeout = 0.3 })
      local ok, err = pcall(s.invoke, s, "x")
      local _, again = pcall(s.invoke, s, "y")
      s:join()
      return { err.code, again.code, s.status }
    end }
    swarm.worker "late" { shell = "while :; do echo x; sleep 0.01; done",
      output = { format = "lines", keep = 0 }, idle = 0.2, timeout = 0.6 }
    """

    async def main() -> None:
        async with loaded(tmp_path, script) as host:
            await host.call("first")  # what starts once has started
            before = descriptors()
            assert await host.call("open") == ["timeout", "token_revoked", "pass"]
            with pytest.raises(WorkerTimeout):
                await host.call("late")
            assert descriptors() == before

    within(20, main)
    assert offspring() == []


def test_what_ends_in_the_middle_leaves_nothing(within: Callable[..., Any], tmp_path: Path) -> None:
    """A stream that is cancelled, whose mapping fails, whose reader or source goes."""
    script = """
    swarm.worker "endless" { shell = "yes", output = { format = "lines", keep = 0 } }
    swarm.worker "maps" { shell = "yes 1",
      output = { format = "ndjson", event = function() error "no" end } }
    swarm.worker "waits" { shell = "yes 1",
      output = { format = "ndjson", event = function() swarm.sleep(60) end } }
    swarm.worker "reads" { command = { "cat" }, output = { format = "lines", keep = 0 },
      stdin = function(_, input) return input.from end }
    swarm.worker "chain" { run = function(_, which)
      local source = swarm.spawn "endless"
      local reader = swarm.spawn("reads", { from = source })
      swarm.sleep(0.1)
      swarm.cancel(which == "source" and source or reader, "enough", { wait = true })
      local other = which == "source" and reader or source
      swarm.cancel(other)
      swarm.join(other)
    end }
    """

    async def main() -> None:
        async with loaded(tmp_path, script) as host:
            await host.call("chain", "source")
            before = descriptors()
            for _ in range(5):
                for name in ("endless", "waits"):
                    h = host.spawn(name)
                    await asyncio.sleep(0.05)
                    h.cancel("enough")
                    await settled(h)
                with pytest.raises(WorkerFailed, match="no"):
                    await host.call("maps")
                await host.call("chain", "source")
                await host.call("chain", "reader")
            assert descriptors() == before

    async def settled(h: Any) -> None:
        async for _ in h.follow():
            pass

    within(60, main)
    assert offspring() == []


def test_an_abandoned_worker_leaves_no_child_and_holds_nobody_back(
    within: Callable[..., Any], tmp_path: Path
) -> None:
    """Its event function swallows its cancel and goes on for ever."""
    script = """
    local function swallow() while true do pcall(swarm.sleep, 0.01) end end
    swarm.worker "swallows" { shell = "yes 1", timeout = 0.1,
      output = { format = "ndjson", event = swallow } }
    swarm.worker "reads" { shell = "yes 1", timeout = 0.5, stdin = function(_, h) return h end,
      output = { format = "ndjson", event = swallow } }
    swarm.worker "long" { command = { "seq", "1", "200000" },
      output = { format = "lines", keep = 0 } }
    swarm.worker "held" { shell = "while read x; do echo $x; done",
      output = { format = "ndjson", event = swallow } }
    swarm.worker "opens" { run = function()
      local held = swarm.open("held", { timeout = 0.1 })
      pcall(held.invoke, held, 1)
      swarm.join(held)
    end }
    swarm.worker "follows" { run = function()
      local source = swarm.spawn "long"
      swarm.join(swarm.spawn("reads", source))
      return swarm.result(source)
    end }
    """

    async def main() -> None:
        async with loaded(tmp_path, script, cancel_grace=0.2) as host:
            await host.call("opens")
            before = descriptors()
            with pytest.raises(WorkerTimeout) as caught:
                await host.call("swallows")
            assert caught.value.error["abandoned"]
            await host.call("follows")
            await host.call("opens")
            assert descriptors() == before

    within(60, main)
    assert offspring() == []


def test_a_system_without_terminals_is_told_of(
    within: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none() -> tuple[int, int]:
        raise FileNotFoundError(errno.ENOENT, "No such file or directory")

    monkeypatch.setattr(os, "openpty", none)
    script = """swarm.worker "terminal" { command = { "true" }, pty = true }"""

    async def main() -> None:
        async with loaded(tmp_path, script) as host:
            with pytest.raises(WorkerFailed, match=r"no terminal for it \(pty\).*devpts"):
                await host.call("terminal")

    within(20, main)


def test_who_talks_on_behind_a_childs_end_is_not_heard_for_ever(
    within: Callable[..., Any],
) -> None:
    """However slowly what it says is taken: there is always something in hand."""

    async def main() -> None:
        child = Played([])
        pipes = Pipes(child)
        async with anyio.create_task_group() as tasks:
            for fd in (child.stdout, child.stderr):
                if fd is not None:
                    tasks.start_soon(pipes.read, fd, slowly)
            tasks.start_soon(talk, child)
            await pipes.settle()
            tasks.cancel_scope.cancel()
        await child.end(0)
        child.close()

    async def slowly(_: bytes) -> None:
        await anyio.sleep(0.05)

    async def talk(child: Played) -> None:
        while True:
            child.say(b"more")
            await anyio.sleep(0.001)

    within(20, main)


# What cuts. --------------------------------------------------------------------------------------


def test_frames_of_any_cut() -> None:
    whole = b"\0\0\0\1a" + b"\0\0\0\0" + b"\0\0\0\3bcd"
    for at in range(len(whole)):
        frames = Frames(3, Mask(()))
        assert frames.feed(whole[:at]) + frames.feed(whole[at:], last=True) == whole
    with pytest.raises(Broken, match="4294967295"):
        Frames(3, Mask(())).feed(b"\xff" * 4)
    with pytest.raises(Broken, match="within a frame"):
        Frames(3, Mask(())).feed(b"\0\0", last=True)


def test_a_secret_in_a_frame_is_masked_and_the_frame_is_whole() -> None:
    frames = Frames(100, Mask([b"hunter22"]))
    assert frames.feed(b"\0\0\0\x0ca hunter22 b\0\0\0\1c") == b"\0\0\0\7a *** b\0\0\0\1c"


def test_line_ends_of_server_sent_events() -> None:
    whole = b"a\r\nb\rc\n\r\n\rd"
    for at in range(len(whole) + 1):
        lines = ServerSent(10)
        got = lines.feed(whole[:at]) + lines.feed(whole[at:], last=True)
        assert got == b"a\nb\nc\n\n\nd\n", at


def test_lines_of_any_cut() -> None:
    whole = b"ab\n\nabcdefgh\nxyz"
    for first in range(len(whole)):
        for second in range(first, len(whole)):
            lines = Lines(4)
            parts = (whole[:first], whole[first:second], whole[second:])
            got = b"".join(lines.feed(part) for part in parts) + lines.feed(b"", last=True)
            assert got == b"ab\n\nabcd [4 bytes dropped]\nxyz\n"


def test_a_terminals_orders_of_any_cut() -> None:
    whole = b"a\x1b[1;31mb\x1b]0;title\x07c\x1b]8;;http://x\x1b\\d\x1b(Be\x1bMf"
    for at in range(len(whole)):
        plain = Plain()
        assert plain.feed(whole[:at]) + plain.feed(whole[at:], last=True) == b"abcdef", at
