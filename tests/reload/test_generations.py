"""Generations: a script loaded anew beside the one that runs, switched to in one step, drained."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from swarm_host import Host, LoadError, Options, SwarmError

pytestmark = pytest.mark.anyio

Save = Callable[..., None]


@pytest.fixture
def save(tmp_path: Path) -> Save:
    """Writes a script or module below the test's folder."""

    def write(text: str, name: str = "x.lua") -> None:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    return write


@asynccontextmanager
async def loaded(tmp_path: Path, **options: Any) -> AsyncIterator[Host]:
    async with Host.load(tmp_path / "x.lua", Options(**options)) as host:
        with anyio.fail_after(20):
            yield host


ONE = 'swarm.worker "w" { run = function(ctx) return { 1, ctx.generation } end }'
TWO = 'swarm.worker "w" { run = function(ctx) return { 2, ctx.generation } end }'
WAITS = """
swarm.worker "waits" { run = function(ctx, name)
  local event = swarm.sleep(%s)
  return { VERSION, ctx.generation, swarm.generation(), swarm.call "helper" }
end }
swarm.worker "helper" { run = function(ctx) return VERSION end }
"""


def versioned(version: int, seconds: float = 0.2) -> str:
    return f"VERSION = {version}\n" + WAITS % seconds


async def test_the_next_spawn_is_the_new_one(tmp_path: Path, save: Save) -> None:
    save(ONE)
    async with loaded(tmp_path) as host:
        assert await host.call("w") == [1, 1]
        save(TWO)
        done = await host.reload()
        assert (done.generation, done.added, done.removed, done.changed) == (
            2,
            [],
            [],
            ["worker w"],
        )
        assert done.seconds > 0
        assert await host.call("w") == [2, 2]


async def test_running_and_pending_workers_stay_in_theirs(tmp_path: Path, save: Save) -> None:
    save(versioned(1))
    async with loaded(tmp_path) as host:
        running, pending = host.spawn("waits"), None
        await host.next_tick()
        pending = host.spawn("waits")
        save(versioned(2))
        done = await host.reload()
        assert done.draining == 2
        # Their code and globals are the old ones; what they spawn by name is the new one.
        assert await running.result() == [1, 1, 2, 2]
        assert await pending.result() == [1, 1, 2, 2]
        assert await host.call("waits") == [2, 2, 2, 2]


async def test_a_name_that_the_newest_lacks_means_the_callers_own(
    tmp_path: Path, save: Save
) -> None:
    save(versioned(1))
    async with loaded(tmp_path) as host:
        worker = host.spawn("waits")
        await host.next_tick()
        save('swarm.worker "other" { run = function() end }')
        done = await host.reload()
        assert done.removed == ["globals", "worker helper", "worker waits"]
        assert await worker.result() == [1, 1, 2, 1]
        with pytest.raises(SwarmError, match='there is no worker "helper"'):
            host.spawn("helper")


async def test_unnamed_functions_stay_in_theirs(tmp_path: Path, save: Save) -> None:
    save(
        """
        VERSION = 1
        swarm.worker "w" { run = function(ctx)
          swarm.sleep(0.1)
          return swarm.result(swarm.spawn(function(inner) return { VERSION, inner.generation } end))
        end }"""
    )
    async with loaded(tmp_path) as host:
        worker = host.spawn("w")
        await host.next_tick()
        save("VERSION = 2")
        await host.reload()
        assert await worker.result() == [1, 1]


async def test_a_later_attempt_is_of_the_newest(tmp_path: Path, save: Save) -> None:
    def script(version: int, fails: str) -> str:
        return f"""swarm.worker "w" {{ retries = {{ max = 1, backoff = 0.2, jitter = false }},
          run = function(ctx)
            if {fails} then error "no" end
            return {{ {version}, ctx.generation, ctx.attempt }}
          end }}"""

    save(script(1, "true"))
    async with loaded(tmp_path) as host:
        worker = host.spawn("w")
        await host.next_tick()
        assert (worker.status, host.counts()["running"]) == ("pending", 0)
        save(script(2, "false"))
        await host.reload()
        assert [g["workers"] for g in host.generations()] == [1, 0]
        assert await worker.result() == [2, 2, 2]
        assert [g["number"] for g in host.generations()] == [2]


async def test_a_supervisors_restart_is_of_the_newest(tmp_path: Path, save: Save) -> None:
    def script(version: int) -> str:
        return f"""
        local seen = swarm.state("seen")
        swarm.worker "child" {{ run = function(ctx)
          seen[#seen + 1] = {version}
          swarm.sleep(3600)
        end }}
        swarm.worker "top" {{ run = function()
          local sup = swarm.supervise {{ children = {{ {{ "child" }} }} }}
          while #seen < 1 do swarm.yield() end
          while swarm.generation() == 1 do swarm.sleep(0.01) end
          sup:children()[1].handle:cancel("try again")
          while #seen < 2 do swarm.sleep(0.01) end
          local list = {{ seen[1], seen[2] }}
          sup:cancel("enough", {{ wait = true }})
          return list
        end }}"""

    save(script(1))
    async with loaded(tmp_path) as host:
        worker = host.spawn("top")
        await host.next_tick()
        save(script(2))
        await host.reload()
        assert await worker.result() == [1, 2]


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("local x = = 1", "load_error", "unexpected symbol"),
        ('error("at the top")', "failed", "at the top"),
        ('swarm.worker "w" { rnu = 1 }', "load_error", "did you mean run"),
        ('swarm.worker "w"', "load_error", "has no table"),
        ('require "missing"', "load_error", 'module "missing" not found'),
        ("swarm.sleep(1)", "not_while_loading", "while it loads"),
        (ONE + "\nswarm.on_reload(function() error 'not now' end)", "failed", "not now"),
        (ONE + '\nswarm.after("wx", function() end)', "load_error", "did you mean w"),
    ],
)
async def test_an_error_of_any_kind_keeps_the_last_good_generation(
    tmp_path: Path, save: Save, text: str, code: str, message: str
) -> None:
    save(ONE)
    async with loaded(tmp_path) as host:
        save(text)
        with pytest.raises(LoadError) as caught:
            await host.reload()
        assert caught.value.error["code"] == code
        assert message in caught.value.error["message"]
        assert "x.lua:" in caught.value.error["where"]
        assert await host.call("w") == [1, 1]
        assert [g["number"] for g in host.generations()] == [1]
        save(TWO)
        assert (await host.reload()).generation == 2
        assert await host.call("w") == [2, 2]


async def test_a_dry_run_changes_nothing(tmp_path: Path, save: Save) -> None:
    save(ONE + "\nswarm.on_dispose(function() swarm.log.info 'gone' end)")
    said: list[dict[str, Any]] = []
    async with loaded(tmp_path, write_log=said.append) as host:
        save('swarm.worker "new" { run = function() end }')
        done = await host.reload(dry_run=True)
        assert (done.generation, done.added, done.removed) == (2, ["worker new"], ["worker w"])
        assert await host.call("w") == [1, 1]
        assert [g["number"] for g in host.generations()] == [1]
        assert said == []
    assert [entry["message"] for entry in said] == ["gone"]


async def test_what_changed_is_told_apart(tmp_path: Path, save: Save) -> None:
    before = """
    local helper = function(x) return x + 1 end
    local limits = { 1, 2, { deep = true } }
    swarm.role "reader" { extends = "worker" }
    swarm.layer "audit" { after = function() end }
    swarm.command "git" { command = { "git", "status" } }
    swarm.worker "same" { run = function(_, x) return x end }
    swarm.worker "helped" { run = function(_, x) return helper(x) end }
    swarm.worker "limited" { run = function() return limits[3] end }
    swarm.worker "gone" { run = function() end }
    swarm.worker "timed" { timeout = 5, run = function() end }
    swarm.worker "child" { command = { "true" } }
    swarm.after("same", function() end)
    swarm.main(function() end)
    """
    save(before)
    async with loaded(tmp_path) as host:
        # The same in other places of the file is the same.
        save("\n\n-- a comment\n" + before)
        done = await host.reload()
        assert (done.added, done.removed, done.changed) == ([], [], [])
        after = before
        for old, new in (
            ("x + 1", "x + 2"),
            ("deep = true", "deep = false"),
            ('extends = "worker"', 'extends = "worker", deny = { "use_network" }'),
            ('"gone"', '"come"'),
            ("timeout = 5", "timeout = 6"),
            ('{ "true" }', '{ "false" }'),
            ("swarm.after", "swarm.before"),
            ("swarm.main(function() end)", "swarm.main(function() return 1 end)"),
            ('"status" }', '"log" }'),
        ):
            assert old in after
            after = after.replace(old, new)
        save(after)
        done = await host.reload()
        assert done.added == ["worker come"]
        assert done.removed == ["worker gone"]
        assert done.changed == [
            "command git",
            "hooks",
            "main",
            "role reader",
            "worker child",
            "worker helped",
            "worker limited",
            "worker timed",
        ]


async def test_a_module_is_loaded_anew(tmp_path: Path, save: Save) -> None:
    save('local m = require "lib.m"\nswarm.worker "w" { run = function() return m.value() end }')
    save("return { value = function() return 1 end }", "lib/m.lua")
    async with loaded(tmp_path) as host:
        assert await host.call("w") == 1
        save("return { value = function() return 2 end }", "lib/m.lua")
        assert (await host.reload()).changed == ["worker w"]
        assert await host.call("w") == 2


async def test_what_is_watched(tmp_path: Path, save: Save) -> None:
    save("return {}", "here.lua")
    save("some text", "data.txt")
    folder = json.dumps(str(tmp_path) + "/")
    save(
        f"""
        local folder = {folder}
        require "here"
        swarm.fs.read(folder .. "data.txt")
        swarm.fs.stat(folder .. "absent.txt")
        swarm.fs.list(folder)
        swarm.fs.glob(folder .. "*.md")
        swarm.watch_file(folder .. "extra.txt")
        swarm.worker "late" {{ run = function() swarm.watch_file(folder .. "late.txt") end }}
        pcall(require, "nowhere")
        """
    )
    told: list[None] = []
    async with loaded(tmp_path) as host:
        host.on_watches(lambda: told.append(None))
        watched = host.watched()
        base = f"{tmp_path}/"
        assert set(watched["files"]) == {
            base + name for name in ("x.lua", "here.lua", "data.txt", "absent.txt", "extra.txt")
        }
        assert watched["folders"] == [base]
        assert base + "nowhere.lua" in watched["missing"]
        assert base + "nowhere/init.lua" in watched["missing"]
        await host.call("late")
        await anyio.lowlevel.checkpoint()
        assert told
        assert base + "late.txt" in host.watched()["files"]
        told.clear()
        await host.call("late")
        await anyio.lowlevel.checkpoint()
        assert not told, "it is watched already"
        # A failed attempt is watched too: what mends it may be in a file of its own.
        save("return nil +", "broken.lua")
        save('require "broken"')
        with pytest.raises(LoadError):
            await host.reload()
        assert base + "broken.lua" in host.watched()["files"]
        assert base + "data.txt" in host.watched()["files"]


async def test_state_lives_across_generations(tmp_path: Path, save: Save) -> None:
    script = """
    local state = swarm.state("counter", { n = %d })
    swarm.worker "count" { run = function() state.n = state.n + 1 return state.n end }
    """
    save(script % 10)
    async with loaded(tmp_path) as host:
        assert await host.call("count") == 11
        save(script % 99)  # the first init wins
        await host.reload()
        assert await host.call("count") == 12


async def test_state_that_cannot_cross_is_refused_at_the_reload(tmp_path: Path, save: Save) -> None:
    save(
        """
        local state = swarm.state "jobs"
        swarm.worker "spoil" { run = function() state.list = { { fn = print } } end }
        swarm.worker "mend" { run = function() state.list = nil end }
        """
    )
    async with loaded(tmp_path) as host:
        await host.call("spoil")
        with pytest.raises(LoadError) as caught:
            await host.reload()
        assert caught.value.error["code"] == "invalid_value"
        assert 'swarm.state("jobs").list[1].fn' in caught.value.error["message"]
        await host.call("mend")
        assert (await host.reload()).generation == 1
        assert (await host.reload(fresh=True)).generation == 2


async def test_state_holds_no_handles(tmp_path: Path, save: Save) -> None:
    save(
        """
        local state = swarm.state "jobs"
        swarm.worker "spoil" { run = function() state.last = swarm.spawn(function() end) end }
        """
    )
    async with loaded(tmp_path) as host:
        await host.call("spoil")
        with pytest.raises(LoadError, match=r"swarm\.state.*last is a worker handle"):
            await host.reload()


async def test_an_error_table_in_a_module_names_its_line(tmp_path: Path, save: Save) -> None:
    save("return {}", "m.lua")
    save('require "m"')
    async with loaded(tmp_path) as host:
        save("\nerror { code = 'mine' }", "m.lua")
        with pytest.raises(LoadError) as caught:
            await host.reload()
        assert caught.value.error["where"] == f"{tmp_path}/m.lua:2"


@pytest.mark.parametrize("call", ["swarm.state()", "swarm.state('x', 1)", "swarm.state(7)"])
async def test_a_wrong_state_is_refused(tmp_path: Path, save: Save, call: str) -> None:
    save(call)
    with pytest.raises(LoadError, match=r"swarm\.state takes a"):
        async with loaded(tmp_path):
            pass


async def test_on_reload_sees_both_and_runs_before_the_switch(tmp_path: Path, save: Save) -> None:
    save(ONE + '\nswarm.role "reader" { extends = "worker" }')
    async with loaded(tmp_path) as host:
        save(
            """
            local seen = swarm.state("seen", {})
            swarm.on_reload(function(old, new)
              seen.old, seen.new, seen.during = old, new, swarm.generation()
            end)
            swarm.worker "look" { run = function() return seen end }
            """
        )
        await host.reload()
        seen = await host.call("look")
        assert seen["during"] == 1
        assert seen["old"]["workers"] == ["w"]
        assert "reader" in seen["old"]["roles"]
        assert seen["old"]["files"] == [f"{tmp_path}/x.lua"]
        assert seen["old"]["generation"] == 1
        assert seen["new"] == {
            "generation": 2,
            "added": ["worker look"],
            "removed": ["role reader", "worker w"],
            "changed": {},  # an empty list, unmarked
        }


DISPOSES = """
VERSION = %d
swarm.on_dispose(function() swarm.log.info("first " .. VERSION) end)
swarm.on_dispose(function() swarm.sleep(0) swarm.log.info("last " .. VERSION) end)
swarm.worker "waits" { run = function() swarm.sleep(0.2) swarm.log.info("worker " .. VERSION) end }
"""


async def test_a_generation_is_disposed_of_after_its_last_worker(
    tmp_path: Path, save: Save
) -> None:
    said: list[str] = []
    save(DISPOSES % 1)
    async with loaded(tmp_path, write_log=lambda entry: said.append(entry["message"])) as host:
        worker = host.spawn("waits")
        await host.next_tick()
        save(DISPOSES % 2)
        await host.reload()
        assert said == []
        assert [(g["number"], g["names"]) for g in host.generations()] == [
            (1, {"waits": 1}),
            (2, {}),
        ]
        await worker.join()
        while len(host.generations()) > 1:
            await anyio.lowlevel.checkpoint()
        assert said == ["worker 1", "last 1", "first 1"]
    assert said[3:] == ["last 2", "first 2"]


async def test_an_error_in_on_dispose_fails_the_run(tmp_path: Path, save: Save) -> None:
    save("swarm.on_dispose(function() error 'stuck' end)\nswarm.main(function() return 1 end)")
    async with loaded(tmp_path) as host:
        outcome = await host.run()
    assert outcome.status == "failed"
    assert outcome.error is not None
    assert "stuck" in outcome.error["message"]


async def test_on_dispose_ends_after_5_seconds_and_its_place_is_told(
    tmp_path: Path, save: Save
) -> None:
    save(
        """
        swarm.on_dispose(function() swarm.log.info "the others run all the same" end)
        swarm.on_dispose(function()
          while true do swarm.sleep(1) end
        end)
        swarm.main(function() end)
        """
    )
    said: list[str] = []
    options = {"virtual_clock": True, "write_log": lambda entry: said.append(entry["message"])}
    async with loaded(tmp_path, **options) as host:
        outcome = await host.run()
    assert outcome.error is not None
    assert outcome.error["code"] == "timeout"
    assert re.search(
        r"swarm\.on_dispose at .*x\.lua:3 ran out of time after 5 s", outcome.error["message"]
    )
    assert said[-1] == "the others run all the same"


async def test_hooks_belong_to_the_script_that_loads(tmp_path: Path, save: Save) -> None:
    for call in ("on_reload", "on_dispose"):
        save(f"swarm.{call}(7)")
        with pytest.raises(LoadError, match="takes a function, and got 7"):
            async with loaded(tmp_path):
                pass
        save(f'swarm.worker "w" {{ run = function() swarm.{call}(print) end }}')
        async with loaded(tmp_path) as host:
            with pytest.raises(SwarmError, match="at the top of a script"):
                await host.call("w")


async def test_concurrency_bounds_a_worker_across_generations(tmp_path: Path, save: Save) -> None:
    def script(most: int) -> str:
        return f"""
        local state = swarm.state("state", {{ running = 0, most = 0 }})
        swarm.worker "narrow" {{ concurrency = {most}, run = function()
          state.running = state.running + 1
          state.most = math.max(state.most, state.running)
          swarm.sleep(0.02)
          state.running = state.running - 1
        end }}
        swarm.worker "reset" {{ run = function()
          local most = state.most
          state.most = state.running
          return most
        end }}"""

    save(script(2))
    async with loaded(tmp_path) as host:
        workers = [host.spawn("narrow") for _ in range(10)]
        await host.next_tick()
        save(script(3))
        await host.reload()
        workers += [host.spawn("narrow") for _ in range(10)]
        for worker in workers:
            await worker.join()
        assert await host.call("reset") == 3
        save(script(1))
        await host.reload()
        for worker in [host.spawn("narrow") for _ in range(5)]:
            await worker.join()
        assert await host.call("reset") == 1


async def test_roles_are_those_of_ones_generation(tmp_path: Path, save: Save) -> None:
    script = """
    swarm.role "r" { extends = "worker", deny = { %s } }
    swarm.worker "reads" { role = "r", run = function(ctx, path)
      swarm.sleep(0.1)
      return swarm.fs.exists(path)
    end }"""
    save(script % "")
    async with loaded(tmp_path) as host:
        old = host.spawn("reads", str(tmp_path))
        await host.next_tick()
        save(script % '"read_files"')
        assert (await host.reload()).changed == ["role r"]
        new = host.spawn("reads", str(tmp_path))
        assert await old.result() is True
        with pytest.raises(SwarmError, match="does not allow read_files"):
            await new.result()


async def test_older_generations_can_be_cancelled_save_for_main(tmp_path: Path, save: Save) -> None:
    script = """
    swarm.worker "stays" { run = function() swarm.sleep(3600) end }
    swarm.main(function()
      local h = swarm.spawn "stays"
      local ok, err = swarm.join(h)
      return { err.code, err.reason, swarm.generation() }
    end)"""
    save(script)
    async with loaded(tmp_path) as host, anyio.create_task_group() as tasks:

        async def drain() -> None:
            while host.counts()["running"] < 2:
                await host.next_tick()
            await host.reload(fresh=True)
            host.cancel_generations_before(2, "drained")

        tasks.start_soon(drain)
        outcome = await host.run()
    assert outcome.value == ["cancelled", "drained", 2]


async def test_a_loading_that_waits_for_ever_can_be_cancelled(tmp_path: Path, save: Save) -> None:
    save(ONE)
    async with loaded(tmp_path) as host:
        with anyio.move_on_after(0.1) as scope:
            save("while true do swarm.fs.stat('/') end")
            await host.reload()
        assert scope.cancelled_caught
        assert await host.call("w") == [1, 1]
        save(TWO)
        assert (await host.reload()).generation == 2
        assert await host.call("w") == [2, 2]


async def test_reloads_at_the_same_time_take_turns(tmp_path: Path, save: Save) -> None:
    save(ONE)
    async with loaded(tmp_path) as host:
        numbers: list[int] = []

        async def reload() -> None:
            numbers.append((await host.reload(fresh=True)).generation)

        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(reload)
        assert numbers == [2, 3, 4, 5, 6]


async def test_the_event_of_a_reload(tmp_path: Path, save: Save) -> None:
    events: list[bytes] = []
    save(ONE)
    async with loaded(tmp_path, write_events=events.append) as host:
        save(TWO)
        await host.reload()
    lines = [json.loads(line) for line in b"".join(events).splitlines()]
    told = [line for line in lines if line["type"] == "reloaded"]
    assert [(e["generation"], e["changed"], e["added"]) for e in told] == [(2, ["worker w"], [])]


async def test_trusted_scripts_reload_too(tmp_path: Path, save: Save) -> None:
    save("local ffi = require 'ffi'\nleft = left\n" + ONE)
    async with loaded(tmp_path, trust=True) as host:
        save("local ffi = require 'ffi'\n" + TWO)
        assert (await host.reload()).changed == ["worker w"]
        assert await host.call("w") == [2, 2]


COUNTS_ALIVE = """
local shared = debug.getregistry()
local alive = shared.alive or setmetatable({}, { __mode = "k" })
shared.alive = alive
local of_this_one = { VERSION = %d }
alive[of_this_one] = true
swarm.layer "layer" { before = function() return nil, of_this_one end }
swarm.worker "w" {
  run = function(ctx) return of_this_one.VERSION .. " " .. ctx.task_id end, -- findable from now on
  layers = { "layer" },
}
swarm.worker "count" { run = function()
  collectgarbage()
  collectgarbage()
  local count = 0
  for _ in pairs(alive) do count = count + 1 end
  return count
end }
"""


async def test_a_task_that_can_still_be_found_keeps_nothing_of_its_generation(
    tmp_path: Path, save: Save
) -> None:
    save(COUNTS_ALIVE % 1)
    async with loaded(tmp_path, trust=True) as host:
        for version in range(1, 4):
            assert (await host.call("w")).startswith(f"{version} T-")
            assert await host.call("count") == 1
            save(COUNTS_ALIVE % (version + 1))
            await host.reload()
            while len(host.generations()) > 1:
                await anyio.lowlevel.checkpoint()
        assert await host.call("count") == 1
