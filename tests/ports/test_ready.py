"""Readiness of real processes and ports, as the chapter on supervision has it."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from swarm_host.ports.connect import Connect
from swarm_host.ports.contract import Call
from swarm_host.ports.hosts import admits_place
from tests.support.command_line import run, script
from tests.support.processes import loaded, lua
from tests.support.waiting import is_alive

SERVER = """
import pathlib, socket, sys, time
pathlib.Path("up").write_text(str(__import__("os").getpid()))
while not pathlib.Path("go").exists():
    time.sleep(0.005)
listening = socket.create_server(("127.0.0.1", int(sys.argv[1])))
time.sleep(1000)
"""

HOUSE = """
swarm.role "local" {{ extends = "worker", allow = {{ use_network = {{ {bound} }} }} }}
swarm.worker "server" {{
  command = {{ {python}, "-c", {server}, "{port}" }}, kill_after = 0.1, cwd = {folder},
  ready = {{ port = {port} }}, start_timeout = {seconds}, role = "local",
}}
local had_gone
swarm.worker "next" {{
  run = function()
    had_gone = swarm.fs.exists {folder} and swarm.fs.exists({folder} .. "/go")
    swarm.sleep(1000)
  end,
}}
local function appears(name)
  while not swarm.fs.exists({folder} .. "/" .. name) do swarm.sleep(0.005) end
end
"""


@pytest.fixture
def port() -> int:
    """A port on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number: int = taken.getsockname()[1]
    return number


def house(folder: Path, port: int, main: str, **given: Any) -> str:
    """A script with a server that listens once there is a file ``go``."""
    fields = {"bound": '"*"', "seconds": 60, "server": lua(SERVER), **given}
    made = HOUSE.format(python=lua(sys.executable), port=port, folder=lua(folder), **fields)
    return f"{made}\nswarm.main(function()\n{main}\nend)"


def test_a_server_is_ready_once_its_port_is_open(
    within: Callable[..., Any], tmp_path: Path, port: int
) -> None:
    main = f"""
    local sup = swarm.supervise {{ children = {{ {{ "server" }}, {{ "next" }} }} }}
    appears "up"
    local before = sup:children()[2].handle
    swarm.fs.write({lua(tmp_path)} .. "/go", "")
    assert(sup:ready())
    swarm.yield()
    while had_gone == nil do swarm.sleep(0.005) end
    swarm.cancel(sup, "enough", {{ wait = true }})
    return {{ before == nil, had_gone }}
    """

    async def check() -> None:
        async with loaded(tmp_path, house(tmp_path, port, main, bound='"127.0.0.1"')) as host:
            assert (await host.run()).value == [True, True]

    within(60, check)
    assert not is_alive(int((tmp_path / "up").read_text()))


FAILS = """
local sup = swarm.supervise { intensity = 0, children = { { "server" }, { "next" } } }
local _, err = swarm.join(sup)
return { err.cause.code, err.cause.message, sup:children()[2].handle == nil }
"""


def test_a_server_that_is_not_ready_in_time_is_ended(
    within: Callable[..., Any], tmp_path: Path, port: int
) -> None:
    async def check() -> None:
        async with loaded(tmp_path, house(tmp_path, port, FAILS, seconds=1)) as host:
            assert (await host.run()).value == [
                "timeout",
                f"it was not ready within 1 s: nothing accepted a connection to 127.0.0.1:{port}",
                True,
            ]

    within(60, check)
    up = tmp_path / "up"
    assert not up.exists() or not is_alive(int(up.read_text()))


def test_a_server_that_ends_is_waited_for_no_longer(
    within: Callable[..., Any], tmp_path: Path, port: int
) -> None:
    text = house(tmp_path, port, FAILS, seconds=10000, server='"raise SystemExit(3)"')

    async def check() -> None:
        async with loaded(tmp_path, text) as host:
            value = (await host.run()).value
        assert value[0] == "process_failed"
        assert "3" in value[1]

    within(60, check)


def test_a_host_out_of_bounds_fails_the_start(
    within: Callable[..., Any], tmp_path: Path, port: int
) -> None:
    async def check() -> None:
        text = house(tmp_path, port, FAILS, bound='"api.example.com"')
        async with loaded(tmp_path, text) as host:
            value = (await host.run()).value
        assert value == [
            "role_violation",
            f'role "local" bounds use_network, and 127.0.0.1:{port} is out of bounds: '
            "it allows api.example.com",
            True,
        ]

    within(60, check)


@pytest.mark.parametrize("with_extra", [True, False])
@pytest.mark.parametrize(
    ("bounds", "host", "admitted"),
    [
        ([["127.0.0.1"]], "127.0.0.1", True),
        ([["127.0.0.1:8080"]], "127.0.0.1", True),
        ([["127.0.0.1:8081"]], "127.0.0.1", False),
        ([["*"]], "example.com", True),
        ([["*.example.com"]], "a.Example.com.", True),
        ([["*.example.com"]], "example.com", False),
        ([["[::1]"]], "::1", True),
        ([["[::1]:8080"]], "0:0::1", True),
        ([["localhost"], ["127.0.0.1"]], "localhost", False),
        ([[]], "127.0.0.1", False),
    ],
)
def test_bounds_of_a_place(
    monkeypatch: pytest.MonkeyPatch,
    bounds: list[list[str]],
    host: str,
    admitted: bool,
    with_extra: bool,
) -> None:
    if not with_extra:
        monkeypatch.setitem(sys.modules, "httpx2", None)
    assert admits_place(bounds, host, 8080) is admitted


def test_the_port_gives_up_after_its_time(port: int) -> None:
    async def ask(host: str) -> Any:
        wish = {"host": host, "port": port, "timeout": 0.1}
        return (await Connect()(wish, Call(1))).value

    assert anyio.run(ask, "127.0.0.1") is False
    assert anyio.run(ask, "no-such-host.invalid") is False


LINES = r"""
local swarm = require "swarm"
local readiness = debug.getregistry()._LOADED._G.require "swarm.worker.readiness"
local said = {}

swarm.worker "server" {
  command = { "true" }, start_timeout = 5,
  ready = { output = "^.-listening on %S+:%d" },
}
swarm.worker "quiet" { command = { "true" }, ready = { port = 1 } }

local function says(lines)
  mock.worker("server", function(ctx)
    local task = debug.getmetatable(ctx)
    for i, line in ipairs(lines) do
      said[i] = readiness.wants_lines(task)
      readiness.line(task, line)
    end
    said.after = readiness.wants_lines(task)
    swarm.sleep(1e9)
  end)
  local sup = swarm.supervise { intensity = 0, children = { { "server" } } }
  local ok, err = sup:ready()
  swarm.cancel(sup)
  swarm.join(sup)
  return ok, err
end

it("is ready at a line that matches", function()
  assert.is_true(says { "", "listening on", "\0x listening on h:1", "listening on h:1" })
  assert.same({ true, true, true, false, after = false }, said)
end)

it("is not ready without one", function()
  local ok, err = says { "listening on", "h:1" }
  local cause = err.cause
  assert.is_nil(ok)
  assert.equal('it was not ready within 5 s: no line of its output matched '
    .. '"^.-listening on %S+:%d"', cause.message)
end)

it("looks at the beginning of a long line alone", function()
  assert.is_nil(says { (" "):rep(2048) .. "listening on h:1" })
  assert.is_true(says { "listening on h:1" .. (" "):rep(1e6) })
end)

it("has no use for lines where nobody waits, or for something else", function()
  local seen = {}
  for _, name in ipairs { "server", "quiet" } do
    mock.worker(name, function(ctx)
      local task = debug.getmetatable(ctx)
      readiness.line(task, "listening on h:1")
      seen[#seen + 1] = readiness.wants_lines(task)
    end)
  end
  mock.port("connect", function() return true end)
  swarm.call "server"
  swarm.join(swarm.supervise { intensity = 0, children = { { "quiet", restart = "temporary" } } })
  assert.same({ false, false }, seen)
end)
"""


def test_lines_of_output(tmp_path: Path) -> None:
    done = run("test", "--trust", script(tmp_path, LINES, "lines_spec.lua"), cwd=tmp_path)
    assert done.returncode == 0, done.stdout.decode()


@pytest.mark.parametrize("stream", [1, 2])
def test_a_process_is_ready_once_it_says_so(
    within: Callable[..., Any], tmp_path: Path, stream: int
) -> None:
    text = f"""
    swarm.worker "server" {{
      shell = "echo starting; echo listening on 1 >&{stream}; exec sleep 1000",
      ready = {{ output = "^listening on %d" }}, kill_after = 0.1, start_timeout = 2,
    }}
    swarm.main(function()
      local sup = swarm.supervise {{ intensity = 0, children = {{ {{ "server" }} }} }}
      local ok = sup:ready()
      swarm.cancel(sup, "enough", {{ wait = true }})
      return ok
    end)
    """

    async def check() -> None:
        async with loaded(tmp_path, text) as host:
            assert (await host.run()).value is True

    within(60, check)
