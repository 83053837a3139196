"""What a function may ask of its worker, and how it ends."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import swarm_host
from swarm_host import SwarmError
from tests.support.python import beside, error_of, said, save
from tests.support.waiting import until

CONTEXT = """
    import asyncio
    import json
    import pathlib
    import threading
    import time

    import swarm_host

    def about():
        worker = swarm_host.worker_context()
        return [worker.task_id, worker.attempt, worker.name, worker.label, worker.worktree]

    async def about_later():
        return about()

    def says():
        worker = swarm_host.worker_context()
        worker.progress("one")
        worker.progress("two", "a note")
        worker.partial({"a": (1, b"\\xff")})
        worker.partial(None)
        worker.artifact("list", [1])
        worker.usage(tokens=10, cost=0.5, model="m")
        return "done"

    async def says_later():
        return says()

    async def says_slowly():
        says()
        await asyncio.sleep(0)
        return await asyncio.to_thread(says)

    def floods(many):
        for number in range(many):
            swarm_host.worker_context().progress("at", str(number))
        return many

    async def floods_later(many):
        for number in range(many):
            swarm_host.worker_context().progress("at", str(number))
        return many

    def wrong(what):
        worker = swarm_host.worker_context()
        if what == "progress":
            worker.progress(3)
        elif what == "partial":
            worker.partial(object())
        elif what == "usage":
            worker.usage(tokens=[])
        else:
            worker.token

    def token():
        worker = swarm_host.worker_context()
        return {"token": worker.token, "has": len(worker.token)}

    def waits():
        worker = swarm_host.worker_context()
        worker.progress("begun")
        while not worker.cancelled:
            time.sleep(0.001)
        worker.progress("cleaned up")
        worker.check()

    async def waits_later():
        worker = swarm_host.worker_context()
        worker.progress("begun")
        try:
            await asyncio.sleep(1000)
        finally:
            await asyncio.sleep(0.01)
            assert worker.cancelled
            worker.progress("cleaned up")

    def stuck(path):
        swarm_host.worker_context().progress("begun")
        while not pathlib.Path(path).exists():
            time.sleep(0.001)
        try:
            swarm_host.worker_context().progress("late")
        except RuntimeError as problem:
            pathlib.Path(path).write_text(str(problem))

    async def stuck_later(path):
        swarm_host.worker_context().progress("begun")
        while not pathlib.Path(path).exists():
            try:
                await asyncio.sleep(0.001)
            except asyncio.CancelledError:
                pass
"""


def script(*names: str, more: str = "") -> str:
    return "\n".join(f'swarm.worker "{name}" {{ python = "tools:{name}"{more} }}' for name in names)


def test_a_function_knows_its_worker(within: Callable[..., Any], tmp_path: Path) -> None:
    async def main() -> None:
        lua = script("about", "about_later", more=', label = "one of many"')
        async with beside(tmp_path, lua, tools=CONTEXT) as host:
            for name in ("about", "about_later"):
                handle = host.spawn(name)
                found = await handle.result()
                assert found[1:] == [1, name, "one of many", None]
                assert found[0].startswith("T-")

    within(30, main)


def test_outside_of_a_worker_there_is_no_context() -> None:
    with pytest.raises(RuntimeError, match="is for functions that a worker runs"):
        swarm_host.worker_context()


def test_what_it_says_comes_in_order_and_before_its_end(
    within: Callable[..., Any], tmp_path: Path
) -> None:
    lua = (
        script("says", "says_later", "says_slowly")
        + """
    swarm.worker "bytes" { run = function()
      local h = swarm.spawn "says"
      h:join()
      return h:output_tail()[3].chunk.value.a[2] == "\\255" and h.usage.tokens
    end }
    """
    )
    once: list[dict[str, Any]] = [
        {"type": "progress", "stage": "one"},
        {"type": "progress", "stage": "two", "note": "a note"},
        {"type": "partial"},
        {"type": "partial", "chunk": {"kind": "inline"}},
        {"type": "artifact", "name": "list", "content": {"kind": "inline", "value": [1]}},
        {"type": "usage", "tokens": 10, "cost": 0.5, "model": "m"},
    ]

    async def main() -> None:
        async with beside(tmp_path, lua, tools=CONTEXT) as host:
            for name, times in {"says": 1, "says_later": 1, "says_slowly": 2}.items():
                events = await said(host.spawn(name))
                assert [one["seq"] for one in events] == list(range(1, 6 * times + 2))
                assert events[-1]["type"] == "final"
                for event, wanted in zip(events, once * times, strict=False):
                    assert event.items() >= wanted.items()
            assert await host.call("bytes") == 10

    within(30, main)


def test_many_words_are_bounded_by_who_hears_them(
    within: Callable[..., Any], tmp_path: Path
) -> None:
    lua = (
        script("floods", "floods_later")
        + """
    swarm.worker "counts" { run = function(_, name)
      local count, h = 0, swarm.spawn(name, 5000)
      for event in h:follow() do
        count = count + (event.type == "progress" and 1 or 0)
      end
      return count
    end }
    """
    )

    async def main() -> None:
        async with beside(tmp_path, lua, tools=CONTEXT) as host:
            assert await host.call("counts", "floods") == 5000
            assert await host.call("counts", "floods_later") == 5000

    within(60, main)


def test_what_cannot_be_said_raises_where_it_is_said(
    within: Callable[..., Any], tmp_path: Path
) -> None:
    async def main() -> None:
        async with beside(tmp_path, script("wrong"), tools=CONTEXT) as host:
            for what, message in {
                "progress": "TypeError: the stage must be a text, and is 3",
                "partial": "partial is a object, which cannot cross",
                "usage": "TypeError: usage takes numbers and texts, and tokens is []",
                "token": "RuntimeError: this worker has no token: write token = true",
            }.items():
                error = await error_of(host, "wrong", what)
                assert message in error["message"]
                assert error["where"].startswith(f"{tmp_path}/tools.py:")

    within(30, main)


def test_a_token_is_there_where_it_is_asked_for_and_never_comes_back(
    within: Callable[..., Any], tmp_path: Path
) -> None:
    async def main() -> None:
        async with beside(tmp_path, script("token", more=", token = true"), tools=CONTEXT) as host:
            found = await host.call("token")
            assert found["token"] == "***"
            assert found["has"] > 40

    within(30, main)


@pytest.mark.parametrize("name", ["waits", "waits_later"])
def test_a_cancel_reaches_it_and_its_clean_up_is_waited_for(
    within: Callable[..., Any], tmp_path: Path, name: str
) -> None:
    lua = script(name) + f'\nswarm.worker "slow" {{ python = "tools:{name}", timeout = 0.05 }}'

    async def main() -> None:
        async with beside(tmp_path, lua, tools=CONTEXT) as host:
            handle = host.spawn(name)
            async for _ in handle.follow():
                break
            handle.cancel("enough")
            outcome = await handle.wait()
            assert (outcome.status, outcome.error["reason"]) == ("cancelled", "enough")  # type: ignore[index]
            assert "abandoned" not in outcome.error  # type: ignore[operator]
            assert [one["stage"] for one in handle.output_tail()] == ["begun", "cleaned up"]

            handle = host.spawn("slow")
            assert (await handle.wait()).status == "timeout"
            assert handle.output_tail()[-1]["stage"] == "cleaned up"

    within(30, main)


@pytest.mark.parametrize("name", ["stuck", "stuck_later"])
def test_what_goes_on_after_its_cancel_is_abandoned_and_said_so(
    within: Callable[..., Any], tmp_path: Path, name: str
) -> None:
    go = tmp_path / "go"
    lua = script(name) + f'\nswarm.worker "slow" {{ python = "tools:{name}", timeout = 0.02 }}'
    entries: list[dict[str, Any]] = []
    events: list[dict[str, Any]] = []

    def write_events(lines: bytes) -> None:
        events.extend(json.loads(line) for line in lines.splitlines())

    async def main() -> None:
        options = {"cancel_grace": 0.05, "write_log": entries.append, "write_events": write_events}
        async with beside(tmp_path, lua, options=options, tools=CONTEXT) as host:
            for worker, status in {name: "cancelled", "slow": "timeout"}.items():
                handle = host.spawn(worker, str(go))
                async for _ in handle.follow():
                    break
                if worker == name:
                    handle.cancel("enough")
                outcome = await handle.wait()
                assert outcome.status == status
                assert outcome.error is not None
                assert outcome.error["abandoned"] is True
        told = [one["message"] for one in entries if "abandoned" in one["message"]]
        assert len(told) == 2
        assert (
            f"its Python function did not end after its cancel, at {tmp_path}/tools.py:" in told[0]
        )
        abandoned = [one for one in events if one["type"] == "abandoned"]
        assert [one["name"] for one in abandoned] == [name, "slow"]
        if name == "stuck":  # nothing is said for a worker that has ended
            go.touch()
            await until(lambda: "the worker has ended" in go.read_text())
        else:
            await until(lambda: len(asyncio.all_tasks()) == 1)

    within(30, main)


@pytest.mark.parametrize("name", ["stuck", "stuck_later"])
def test_what_is_left_behind_does_not_keep_the_process(tmp_path: Path, name: str) -> None:
    save(tmp_path, tools=CONTEXT)
    (tmp_path / "x.lua").write_text(
        f'swarm.worker "stuck" {{ python = "tools:{name}", timeout = 0.05 }}\n'
        'swarm.main(function() swarm.spawn("stuck", "never"):join() return "over" end)\n'
    )
    done = subprocess.run(
        [sys.executable, "-m", "swarm_host", "--cancel-grace", "0.1", "x.lua"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout == "over\n"
    assert (
        "is abandoned: its Python function did not end after its cancel, at tools.py:"
        in done.stderr
    )


def test_so_many_run_in_threads_at_once(within: Callable[..., Any], tmp_path: Path) -> None:
    from swarm_host.ports.python.port import THREADS

    counts = {"now": 0, "most": 0}
    lock, full = threading.Lock(), threading.Event()

    @swarm_host.worker("test of threads")
    def counted(number: int) -> int:
        with lock:
            counts["now"] += 1
            counts["most"] = max(counts["most"], counts["now"])
            if counts["now"] == THREADS:
                full.set()
        assert full.wait(10)
        with lock:
            counts["now"] -= 1
        return number

    lua = """
    swarm.worker "counted" { python = "test of threads" }
    swarm.worker "all" { run = function()
      local numbers = {}
      for i = 1, 200 do numbers[i] = i end
      return #swarm.map("counted", numbers)
    end }
    """

    async def main() -> None:
        async with beside(tmp_path, lua) as host:
            assert await host.call("all") == 200
        assert counts["most"] == THREADS

    within(30, main)


RIGHTS = """
swarm.role "bounded" { extends = "worker", allow = { call_python = { "tools:a*", "json:*" } } }
swarm.role "without" { extends = "worker", deny = { "call_python" } }
swarm.worker "about" { python = "tools:about", role = "bounded" }
swarm.worker "says" { python = "tools:says", role = "bounded" }
swarm.worker "none" { python = "tools:about", role = "without" }
swarm.worker "below" { role = "without", run = function() return swarm.call "free" end }
swarm.worker "free" { python = "tools:about" }
swarm.worker "silent" { python = "tools:says", role = "mute" }
swarm.role "mute" { extends = "worker", deny = { "emit_output" } }
"""


def test_it_needs_the_verb_and_its_bounds_name_functions(
    within: Callable[..., Any], tmp_path: Path
) -> None:
    async def main() -> None:
        async with beside(tmp_path, RIGHTS, tools=CONTEXT) as host:
            assert (await host.call("about"))[2] == "about"
            for name, said in {
                "says": 'bounds call_python, and "tools:says" is out of bounds',
                "none": 'role "without" does not allow call_python',
                "below": "",
                "silent": 'role "mute" does not allow emit_output',
            }.items():
                with pytest.raises(SwarmError) as raised:
                    await host.call(name)
                error = raised.value.error
                error = error.get("cause", error)
                assert error["code"] == "role_violation", name
                assert said in error["message"]

    within(30, main)


def test_the_loop_goes_on_while_values_are_large(
    within: Callable[..., Any], tmp_path: Path
) -> None:
    """What is long is read and written in a thread, for async functions too."""
    module = """
    async def makes(n):
        return [{"n": number, "text": "x" * 10} for number in range(n)]

    async def takes(items):
        return len(items)
    """
    lua = """
    swarm.worker "makes" { python = "tools:makes" }
    swarm.worker "takes" { python = "tools:takes" }
    swarm.worker "both" { run = function()
      return swarm.call("takes", swarm.call("makes", 20000))
    end }
    """

    async def main() -> None:
        async with beside(tmp_path, lua, tools=module) as host:
            assert await host.call("both") == 20000

    within(30, main)
