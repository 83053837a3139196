"""Calls from Python: what they take, what they give, and what a cancel of one does."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import anyio
import pytest

from swarm_host import Host, Options, SwarmError
from tests.support.waiting import within

SCRIPT = """
swarm.worker "gives" { run = function(_, value) return value end }
swarm.worker "bytes" { run = function() return "a\\255b" end }
swarm.worker "waits" { run = function()
  local ok, err = pcall(swarm.sleep, 60)
  print(err.reason)
  error(err, 0)
end }
swarm.main(function(_, ctx) return ctx.input end)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "calls.lua"
    path.write_text(SCRIPT)
    return path


def test_a_cancelled_call_cancels_its_worker(path: Path) -> None:
    said: list[bytes] = []

    async def main() -> None:
        async with Host.load(path, Options(write_out=said.append)) as host:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(host.call, "waits")
                while not host.counts()["running"]:
                    await host.next_tick()
                tasks.cancel_scope.cancel()
            while host.counts()["live"]:
                await host.next_tick()
            assert host.counts()["cancelled"] == 1

    within(20, main)
    assert said == [b"the call was cancelled\n"]


CYCLE: list[Any] = []
CYCLE.append(CYCLE)
DEEP: Any = 0
for _ in range(2000):
    DEEP = [DEEP]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (float("nan"), "input is nan, which JSON cannot say"),
        ({"a": [1, float("-inf")]}, "input['a'][1] is -inf, which JSON cannot say"),
        ({"a": b"x"}, "input['a'] is a bytes, which JSON cannot say"),
        ({(1, 2): 3}, "input has a key that is a tuple; JSON has text"),
        ("\udcff", "input is not Unicode text"),
        (CYCLE, "input[0] contains itself"),
    ],
)
def test_an_argument_that_json_cannot_say_is_named(path: Path, value: Any, message: str) -> None:
    async def main() -> None:
        async with Host.load(path) as host:
            with pytest.raises(SwarmError) as raised:
                await host.call("gives", value)
            assert raised.value.error["message"] == message
            assert raised.value.error["code"] == "invalid_value"
            assert host.counts()["live"] == 0
            assert await host.call("gives", {"fine": True}) == {"fine": True}

    within(20, main)


def test_one_that_is_nested_too_deep_is_refused(path: Path) -> None:
    async def main() -> None:
        async with Host.load(path) as host:
            with pytest.raises(SwarmError, match="is nested more than 100 levels deep"):
                await host.call("gives", DEEP)

    within(20, main)


def test_the_input_of_a_run_is_held_to_the_same(path: Path) -> None:
    async def main() -> None:
        async with Host.load(path, Options(input=[float("nan")])):
            pass

    with pytest.raises(SwarmError, match=r"input\[0\] is nan"):
        within(20, main)


def test_a_string_is_a_string_whatever_bytes_it_has(path: Path) -> None:
    async def main() -> None:
        async with Host.load(path) as host:
            value = await host.call("bytes")
            assert isinstance(value, str)
            assert os.fsencode(value) == b"a\xffb"

    within(20, main)


def test_loading_is_not_counted_and_each_run_counts_anew(path: Path) -> None:
    async def main() -> None:
        async with Host.load(path) as host:
            assert set(host.counts().values()) == {0}
            await host.call("gives")
            assert host.counts()["pass"] == 1
            for _ in range(2):
                await host.run(again=True)
                assert host.counts()["pass"] == 1
            await anyio.Path(path).write_text("x x")
            with pytest.raises(SwarmError):
                await host.reload()
            assert (host.counts()["failed"], host.counts()["live"]) == (0, 0)

    within(20, main)
