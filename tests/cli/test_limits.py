"""What Lua can use up: the stack and the memory. Neither ends the process without a word."""

from __future__ import annotations

import resource
import subprocess
from pathlib import Path

import pytest

from tests.support.command_line import MAIN, SWARM_HOST, run, script
from tests.support.waiting import wait_for_end

RECURSIONS = {
    "a template that includes itself": """
        local parts = { page = "{page}" }
        local function expand(t)
          return (t:gsub("{(%w+)}", function(n) return expand(parts[n]) end))
        end
        swarm.main(function() return expand "{page}" end)""",
    "one that leaves no frame": """
        local f
        f = function(x) return string.gsub(x, x, f) end
        swarm.main(function() return f "x" end)""",
    "in a coroutine": """
        local f
        f = function(x) return (string.gsub(x, x, f)) end
        swarm.main(function() return coroutine.wrap(f)("x") end)""",
    "through a metatable": """
        local t = {}
        setmetatable(t, { __index = function(_, x) string.gsub(x, x, t) end })
        swarm.main(function() string.gsub("x", "x", t) end)""",
    "of coroutines": """
        local function f(n) return coroutine.wrap(f)(n + 1) end
        swarm.main(function() f(1) end)""",
    "of coroutines, through gsub": """
        local function f(n)
          return (string.gsub("x", "x", function() return coroutine.wrap(f)(n + 1) end))
        end
        swarm.main(function() f(1) end)""",
    "of coroutines, while loading": """
        local function f() local _, e = coroutine.resume(coroutine.create(f)) error(e, 0) end
        f() """,
    "through sort": """
        local f
        f = function() table.sort({ 1, 2 }, f) return false end
        swarm.main(function() f() end)""",
    "while loading": """
        local f
        f = function(x) return (string.gsub(x, x, f)) end
        f "x" """,
}


@pytest.mark.parametrize("name", RECURSIONS)
def test_recursion_through_c_functions_ends_in_an_error(tmp_path: Path, name: str) -> None:
    # The deepest one computes for seconds, and on a busy machine for long.
    command = [*SWARM_HOST, str(script(tmp_path, RECURSIONS[name]))]
    done = subprocess.run(command, capture_output=True, timeout=300)
    assert done.returncode == (2 if "while loading" in name else 1)
    said = [line for line in done.stderr.splitlines() if line.startswith(b"error: ")]
    assert b"stack overflow" in said[0]


def test_recursion_in_a_spec_fails_it(tmp_path: Path) -> None:
    text = "it('recurses', function() local f f = function(x) return x:gsub(x, f) end f 'x' end)"
    path = script(tmp_path, text, "deep_spec.lua")
    done = run("test", path)
    assert done.returncode == 1
    assert b"stack overflow" in done.stdout


def test_children_have_the_limits_that_the_host_was_started_with(tmp_path: Path) -> None:
    body = "return swarm.exec({ 'sh', '-c', 'ulimit -Ss; ulimit -Hs' }).stdout"
    done = run(script(tmp_path, MAIN.format(body)))
    limits = resource.getrlimit(resource.RLIMIT_STACK)
    shown = ["unlimited" if one == resource.RLIM_INFINITY else str(one // 1024) for one in limits]
    assert done.stdout.decode().split() == shown


EATS = """
swarm.worker "nap" { command = { "sh", "-c", "echo $$ > new; mv new pid; exec sleep 600" } }
local kept = {}
swarm.worker "eats" { run = function()
  while true do
    pcall(function() while true do kept[#kept + 1] = ("x"):rep(10000) .. #kept end end)
    for _ = 1, 100000 do pcall(function() kept[#kept + 1] = {} end) end
    swarm.yield()
  end
end }
swarm.main(function()
  swarm.spawn "nap"
  while not swarm.fs.exists "pid" do swarm.sleep(0.01) end
  swarm.call "eats"
end)
"""


LIMIT = 700_000
"""KiB that these runs have, all of the process counted."""


def run_in_little_memory(folder: Path, text: str) -> subprocess.CompletedProcess[bytes]:
    script(folder, text)
    command = ["bash", "-c", f'ulimit -v {LIMIT}; exec "$@"', "bash", *SWARM_HOST, "script.lua"]
    return subprocess.run(command, cwd=folder, capture_output=True, timeout=100)


def test_where_memory_runs_out_the_run_ends_and_names_the_worker(tmp_path: Path) -> None:
    done = run_in_little_memory(tmp_path, EATS)
    assert done.returncode == 1
    assert done.stderr.decode().splitlines() == [
        'error: memory ran out while worker "eats" (T-3) had control (out_of_memory)'
    ]
    wait_for_end(int((tmp_path / "pid").read_text()))


def test_a_script_that_lets_go_of_what_was_too_much_goes_on(tmp_path: Path) -> None:
    text = """swarm.main(function()
      for _ = 1, 2 do
        local ok = pcall(function()
          local kept = {}
          while true do kept[#kept + 1] = ("x"):rep(100000) .. #kept end
        end)
        swarm.yield()
        print(ok)
      end
    end)"""
    done = run_in_little_memory(tmp_path, text)
    assert (done.returncode, done.stdout.split()) == (0, [b"false", b"false"]), done.stderr


def test_an_answer_that_finds_no_room_in_lua_ends_the_run(tmp_path: Path) -> None:
    text = """swarm.main(function()
      local kept = {}
      for i = 1, 40 do kept[i] = swarm.fs.read("big" .. i) end
    end)"""
    for i in range(1, 41):
        with (tmp_path / f"big{i}").open("w") as file:
            file.write(str(i))  # or Lua would keep one string for all
            file.truncate(20_000_000)
    done = run_in_little_memory(tmp_path, text)
    assert done.returncode == 1
    assert done.stderr == b"error: memory ran out (out_of_memory)\n"
