"""What spec/structure/held_open/held_open.md says of reloads, and what many invocations cost."""

from __future__ import annotations

import json
from pathlib import Path

import anyio

from swarm_host import Host
from tests.support.command_line import run, script
from tests.support.waiting import within

VERSION = """
swarm.worker "unit" {{ {runs} }}
swarm.worker "user" {{
  run = function()
    local s = swarm.open "unit"
    local first = s:invoke "1"
    repeat swarm.sleep(0.01) until swarm.generation() > 1
    local ok, second = pcall(s.invoke, s, "2")
    return {{ first = first, second = ok and second or second.code, open = s:close() }}
  end,
}}
"""
RUN = """run = function(ctx, n)
  ctx.state.seen = (ctx.state.seen or "") .. "{version}" .. n
  return ctx.state.seen
end"""


def after_a_reload(folder: Path, runs: str) -> object:
    """What a held-open worker comes to when its worker is defined anew."""
    path = script(folder, VERSION.format(runs=RUN.format(version="old")))

    async def main() -> object:
        async with Host.load(path) as host:
            handle = host.spawn("user")
            await anyio.sleep(0.05)
            path.write_text(VERSION.format(runs=runs))
            await host.reload()
            return await handle.result()

    return within(20, main)


def test_an_invocation_runs_the_newest_generation_and_keeps_the_state(tmp_path: Path) -> None:
    assert after_a_reload(tmp_path, RUN.format(version="new")) == {
        "first": "old1",
        "second": "old1new2",
        "open": True,
    }


def test_a_worker_that_is_of_another_kind_by_then_refuses(tmp_path: Path) -> None:
    assert after_a_reload(tmp_path, 'command = { "cat" }') == {
        "first": "old1",
        "second": "invalid_argument",
        "open": True,
    }


def test_an_idle_session_does_not_hide_a_deadlock_until_its_ttl_is_over(tmp_path: Path) -> None:
    script(
        tmp_path,
        """swarm.worker "unit" { run = function(_, event) if event then event:wait() end end }
swarm.main(function(args)
  local s = swarm.open "unit"
  if args[1] == "busy" then s:invoke(swarm.event()) end
  s:invoke()
  swarm.event():wait()
end)
""",
    )
    idle = run("script.lua", cwd=tmp_path)
    assert idle.returncode == 1
    assert b"T-2 unit at script.lua:3 waits for an invocation\n" in idle.stderr
    busy = run("script.lua", "busy", cwd=tmp_path)
    assert b"T-2 unit at script.lua:3 waits for its invocation (T-3)\n" in busy.stderr


def test_the_end_of_a_session_by_its_ttl_wakes_who_waits_for_it(tmp_path: Path) -> None:
    path = script(
        tmp_path,
        """swarm.worker "unit" { run = function(_, event) if event then event:wait() end end }
local waits = {
  join = swarm.join,
  each = function(s) for _ in swarm.each { s } do end end,
  race = function(s) swarm.race { s } end,
  follow = function(s) for _ in s:follow() do end end,
  token = function(s) s.cancel_token:wait() end,
  turn = function(s)
    local event = swarm.event()
    local busy = swarm.spawn(function() s:invoke(event) end)
    swarm.sleep(0)
    print(select(2, pcall(s.invoke, s)).code)
    event:set()
    busy:join()
  end,
}
swarm.main(function(args)
  waits[args[1]](swarm.open("unit", { ttl = 0.05 }))
end)
""",
    )
    for way in ("join", "each", "race", "follow", "token", "turn"):
        said = run(path, way)
        assert (said.returncode, said.stderr) == (0, b""), way
    assert said.stdout == b"token_expired\n"


def test_memory_is_flat_over_many_invocations_and_sessions(tmp_path: Path) -> None:
    text = """
    swarm.worker "unit" { run = function(ctx, input) return input end }
    swarm.main(function()
      local early, late
      local s = swarm.open "unit"
      for round = 1, 10 do
        for i = 1, 3000 do
          s:invoke { text = "x" }
        end
        for i = 1, 1000 do
          local one = swarm.open("unit", { uses = 1 })
          one:invoke(i)
          pcall(one.invoke, one)
        end
        for i = 1, 200 do
          swarm.open("unit"):close()
        end
        swarm.sleep(0.001)
        require("jit").flush() -- compiled code is no leak, and comes and goes
        collectgarbage()
        late = collectgarbage("count")
        early = early or late
      end
      return { early = early, late = late }
    end)
    """
    done = run("--trust", script(tmp_path, text))
    assert done.returncode == 0, done.stderr.decode()
    result = json.loads(done.stdout)
    assert result["late"] < result["early"] + 100, result
