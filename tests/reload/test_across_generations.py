"""What lives across generations, what stays in one, and when no generation takes over."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from swarm_host import Host, LoadError, Options, SwarmError

pytestmark = pytest.mark.anyio

Save = Callable[..., None]


@pytest.fixture
def save(tmp_path: Path) -> Save:
    """Writes a script or module into the test's folder."""

    def write(text: str, name: str = "x.lua") -> None:
        (tmp_path / name).write_text(text)

    return write


@asynccontextmanager
async def loaded(tmp_path: Path, **options: Any) -> AsyncIterator[Host]:
    async with Host.load(tmp_path / "x.lua", Options(**options)) as host:
        with anyio.fail_after(20):
            yield host


# A service that is restarted, and main, which sends it jobs: what they share is made at the top.
HOUSE = """
local jobs = JOBS
swarm.worker "service" { run = function(ctx)
  local job = jobs:recv()
  ctx:progress("served")
  if job == "break" then error "broken" end
  return job
end }
swarm.worker "house" { run = function()
  local sup = swarm.supervise { children = { { "service", restart = "transient" } } }
  jobs:send "break"
  while not swarm.data "saved" do swarm.sleep(0.01) end
  jobs:send "work"
  swarm.join(sup)
  return "served"
end }
swarm.worker "saved" { run = function() swarm.set_data("saved", true) end }
"""


async def test_a_saved_comment_leaves_a_channel_at_the_top_of_a_script_alone(
    tmp_path: Path, save: Save
) -> None:
    text = HOUSE.replace("JOBS", "swarm.channel(1)")
    save(text)
    async with loaded(tmp_path, write_log=lambda entry: None) as host:
        house = host.spawn("house")
        await host.next_tick()
        save("-- a comment\n" + text)
        done = await host.reload()
        assert (done.generation, done.switched) == (1, False)
        await host.call("saved")
        assert await house.result() == "served"


async def test_a_saved_comment_lets_no_more_into_a_semaphore(tmp_path: Path, save: Save) -> None:
    text = """
    local narrow = swarm.semaphore(2)
    local state = swarm.state("seen", { now = 0, most = 0 })
    swarm.worker "one" { run = function()
      narrow:with(function()
        state.now = state.now + 1
        state.most = math.max(state.most, state.now)
        swarm.sleep(0.05)
        state.now = state.now - 1
      end)
    end }
    swarm.worker "most" { run = function() return state.most end }
    """
    save(text)
    async with loaded(tmp_path) as host:
        workers = []
        for saves in range(3):
            workers += [host.spawn("one") for _ in range(2)]
            await host.next_tick()
            save(text + "-- saved\n" * saves)
            await host.reload()
        for worker in workers:
            await worker.join()
        assert await host.call("most") == 2


async def test_a_reload_that_changes_nothing_leaves_no_trace(tmp_path: Path, save: Save) -> None:
    text = """
    swarm.on_reload(function() swarm.log.info "on_reload" end)
    swarm.on_dispose(function() swarm.log.info "on_dispose" end)
    swarm.worker "w" { run = function(ctx) return { ctx.generation, swarm.generation() } end }
    """
    said: list[str] = []
    events: list[bytes] = []
    save(text)
    options = {"write_log": lambda entry: said.append(entry["message"])}
    async with loaded(tmp_path, write_events=events.append, **options) as host:
        for saves in range(1, 4):
            save(text + "-- saved\n" * saves)
            done = await host.reload()
            assert (done.generation, done.switched, done.draining) == (1, False, 0)
            assert (done.added, done.removed, done.changed) == ([], [], [])
        assert await host.call("w") == [1, 1]
        assert [g["number"] for g in host.generations()] == [1]
        assert said == []
        save(text.replace("ctx.generation, ", ""))
        assert (await host.reload()).generation == 2
        assert said == ["on_reload", "on_dispose"]
    assert b"".join(events).count(b'"reloaded"') == 1
    assert said == ["on_reload", "on_dispose", "on_dispose"]


async def test_what_a_dropped_loading_reads_is_watched(tmp_path: Path, save: Save) -> None:
    save("local swarm = swarm")
    async with loaded(tmp_path) as host:
        save(f'swarm.watch_file "{tmp_path}/more.txt"')
        assert not (await host.reload()).switched
        assert f"{tmp_path}/more.txt" in host.watched()["files"]
        save("local swarm = swarm")
        await host.reload()
        assert f"{tmp_path}/more.txt" in host.watched()["files"]


# Each is a change that the definitions show nothing of, save by what they close over.
CHANGES = [
    ("swarm.channel(1)", "swarm.channel(2)", "worker w"),
    ("swarm.semaphore(1)", "swarm.semaphore(2)", "worker w"),
    ("swarm.lock()", "swarm.event()", "worker w"),
    ("swarm.fs.read", "swarm.fs.exists", "worker w"),
    ("swarm.fs", "swarm.http", "worker w"),
    ("string.upper", "string.lower", "worker w"),
    ("swarm.array { 1 }", "swarm.array { 2 }", "worker w"),
    ("swarm.array {}", "swarm.object {}", "worker w"),
    ('swarm.file "a"', 'swarm.file "b"', "worker w"),
    ('swarm.secret "A"', 'swarm.secret "B"', "worker w"),
    ('swarm.state "a"', 'swarm.state "b"', "worker w"),
    ('swarm.state("c", { d = {} }).d', 'swarm.state("c", { d = {} })', "worker w"),
    ("1 string.twice = function(s) return s .. s end", "1 string.twice = string.rep", "globals"),
    ("1 print = function() return 1 end", "1 print = function() return 2 end", "globals"),
    ("1 swarm.on_dispose(function() end)", "1", "on_dispose"),
    ("1 swarm.on_reload(function() end)", "1 swarm.on_reload(print)", "on_reload"),
]


@pytest.mark.parametrize(("before", "after", "named"), CHANGES)
async def test_what_a_definition_closes_over_is_looked_into(
    tmp_path: Path, save: Save, before: str, after: str, named: str
) -> None:
    text = 'local x = %s\nswarm.worker "w" { run = function() return x end }'
    save(text % before)
    async with loaded(tmp_path) as host:
        save(text % before + "\n-- saved")
        assert not (await host.reload()).switched
        save(text % after)
        done = await host.reload()
        assert done.switched
        assert {*done.changed, *done.added, *done.removed} == {named}


async def test_what_cannot_be_looked_into_is_taken_over_as_ever(tmp_path: Path, save: Save) -> None:
    text = """
    local next_number = coroutine.wrap(function() while true do coroutine.yield(1) end end)
    swarm.worker "w" { run = function() return next_number() end }
    """
    save(text)
    async with loaded(tmp_path) as host:
        save(text.replace("yield(1)", "yield(2)"))
        assert (await host.reload()).switched
        assert await host.call("w") == 2


async def test_a_module_that_a_worker_requires_as_it_runs_is_a_change(
    tmp_path: Path, save: Save
) -> None:
    save("return { value = 1 }", "early.lua")
    save("return { value = 1 }", "late.lua")
    save(
        """
        require "early"
        swarm.worker "w" { run = function()
          return { require("early").value, require("late").value }
        end }
        """
    )
    async with loaded(tmp_path) as host:
        assert await host.call("w") == [1, 1]
        assert not (await host.reload()).switched
        save("-- a comment\nreturn { value = 1 }", "late.lua")
        assert not (await host.reload()).switched
        save("return { value = 2 }", "late.lua")
        assert (await host.reload()).changed == [f"module {tmp_path}/late.lua"]
        assert await host.call("w") == [1, 2]
        save("return { value = 2 }", "early.lua")
        assert (await host.reload()).changed == ["module early"]
        assert await host.call("w") == [2, 2]


# swarm.state. ------------------------------------------------------------------------------------


async def test_the_content_of_state_is_no_change_of_a_definition(
    tmp_path: Path, save: Save
) -> None:
    text = """
    local seen = swarm.state("seen", { n = 0, deep = { list = {} } })
    local list = seen.deep.list
    swarm.worker "count" { run = function()
      seen.n, list[#list + 1] = seen.n + 1, { n = seen.n }
      return seen.n
    end }
    """
    save(text)
    async with loaded(tmp_path) as host:
        assert await host.call("count") == 1
        save("-- a comment\n" + text)
        assert not (await host.reload()).switched
        save(text + 'swarm.worker "other" { run = function() end }')
        done = await host.reload()
        assert (done.added, done.changed) == (["worker other"], [])
        assert await host.call("count") == 2


@pytest.mark.parametrize(
    "jobs",
    [
        'swarm.state("jobs", swarm.channel(1))',
        'swarm.state("jobs", function() return swarm.channel(1) end)',
        'swarm.state("house", { jobs = swarm.channel(1) }).jobs',
        'swarm.state("house", function() return { jobs = swarm.channel(1) } end).jobs',
    ],
)
async def test_a_channel_in_state_is_the_same_in_all_generations(
    tmp_path: Path, save: Save, jobs: str
) -> None:
    text = HOUSE.replace("JOBS", jobs)
    said: list[dict[str, Any]] = []
    save(text)
    async with loaded(tmp_path, write_log=said.append) as host:
        house = host.spawn("house")
        await host.next_tick()
        save(text.replace('"served"', '"served again"'))
        assert (await host.reload()).changed == ["worker house", "worker service"]
        await host.call("saved")
        assert await house.result() == "served"
    assert not [entry for entry in said if "left behind" in entry["message"]]


async def test_the_function_of_a_state_is_called_once_a_run(tmp_path: Path, save: Save) -> None:
    text = """
    local limits = swarm.state("limits", function()
      swarm.log.info "made"
      return { semaphore = swarm.semaphore(2), lock = swarm.lock(), event = swarm.event(), n = 1 }
    end)
    swarm.worker "w" { run = function() return VERSION, limits.n end }
    swarm.worker "two" { run = function()
      local function make()
        swarm.sleep(0.01)
        swarm.log.info "made late"
        return { n = 7 }
      end
      local values = swarm.all {
        function() return swarm.state("late", make).n end,
        function() return swarm.state("late", make).n end,
      }
      return values
    end }
    """
    said: list[str] = []
    save("VERSION = 1" + text)
    async with loaded(tmp_path, write_log=lambda entry: said.append(entry["message"])) as host:
        save("VERSION = 2" + text)
        assert (await host.reload()).generation == 2
        assert said == ["made"]
        assert await host.call("two") == [7, 7]
        assert said == ["made", "made late"]
        save("VERSION = 3" + text)
        await host.reload()
        await host.reload(fresh=True)
        assert await host.call("two") == [7, 7]
        assert said == ["made", "made late"]


@pytest.mark.parametrize(
    ("init", "message"),
    [
        ("function() end", r"its function returns a table or object, and got nil"),
        ("function() return 1 end", r"its function returns a table or object, and got 1"),
        ("function() error 'no luck' end", "no luck"),
        ("function() return { f = print } end", r"init\.f is a function"),
        ("function() return swarm.state('x') end", "is asked for by its own function"),
    ],
)
async def test_a_function_that_makes_no_state_is_refused(
    tmp_path: Path, save: Save, init: str, message: str
) -> None:
    save(f'swarm.worker "w" {{ run = function() swarm.state("x", {init}) end }}')
    async with loaded(tmp_path) as host:
        for _ in range(2):  # the failed one is forgotten
            with pytest.raises(SwarmError, match=message):
                await host.call("w")


async def test_state_that_a_failed_loading_made_is_forgotten(tmp_path: Path, save: Save) -> None:
    save('swarm.worker "w" { run = function() end }')
    text = """
    local limits = swarm.state("limits", { n = %d })
    swarm.worker "w" { run = function() return limits.n end }
    """
    async with loaded(tmp_path) as host:
        save(text % 1 + "error 'not yet'")
        with pytest.raises(LoadError):
            await host.reload()
        save(text % 2)
        await host.reload()
        assert await host.call("w") == 2
        save(text % 3 + "error 'not yet'")
        with pytest.raises(LoadError):
            await host.reload()
        assert await host.call("w") == 2


# What is left behind. ----------------------------------------------------------------------------

LEFT = """
local channel, semaphore = swarm.channel(5), swarm.semaphore(2)
local lock, event = swarm.lock(), swarm.event()
swarm.worker "holds" { run = function()
  channel:send(1)
  semaphore:with(function() lock:with(function() event:wait() end) end)
end }
swarm.worker "wants" { run = function() lock:with(print) end }
swarm.worker "frees" { run = function() event:set() return VERSION end }
"""


async def test_a_reload_that_leaves_users_behind_says_so(tmp_path: Path, save: Save) -> None:
    said: list[dict[str, Any]] = []
    save("VERSION = 1" + LEFT)
    async with loaded(tmp_path, write_log=said.append) as host:
        holds = host.spawn("holds")
        await host.next_tick()
        wants = host.spawn("wants")
        await host.next_tick()
        save("\n\nVERSION = 2" + LEFT)
        assert (await host.reload()).generation == 2
        assert [entry["level"] for entry in said] == ["warn"] * 4
        told = [entry["message"].replace(f"{tmp_path}/", "") for entry in said]
        ends = "; to have one for the whole run, write swarm.state(name, function() return swarm."
        assert [text.split(ends)[0] for text in told] == [
            f"the {what} made at x.lua:{line + 1} (generation 1) is left behind: {use}, and "
            "generation 2 has made another"
            for line, what, use in (
                (1, "channel", "it holds 1 value"),
                (1, "semaphore", "1 of its 2 permits is held"),
                (2, "lock", 'worker "wants" (T-2) waits for it, and worker "holds" (T-1) holds it'),
                (2, "event", 'worker "holds" (T-1) waits for it'),
            )
        ]
        assert told[0].endswith("swarm.channel(...) end)")
        said.clear()
        save("VERSION = 3" + LEFT)
        await host.reload()
        assert said == [], "nobody uses those of generation 2"
        holds.cancel()
        wants.cancel()


async def test_a_deadlock_between_generations_names_them(tmp_path: Path, save: Save) -> None:
    text = """
    local jobs = swarm.channel()
    swarm.worker "serve" { run = function() jobs:recv() end }
    swarm.main(function()
      swarm.log.info "begun"
      while swarm.generation() == FIRST do swarm.sleep(0.01) end
      swarm.spawn "serve"
      jobs:send(1)
    end)
    """
    save(text.replace("FIRST", "1"))
    begun = anyio.Event()
    options = {"write_log": lambda entry: begun.set(), "closed_world": True}
    async with loaded(tmp_path, **options) as host, anyio.create_task_group() as tasks:

        async def reload() -> None:
            await begun.wait()
            save(text.replace("FIRST", "0"))
            await host.reload()

        tasks.start_soon(reload)
        outcome = await host.run()
    assert outcome.error is not None
    lines = outcome.error["message"].replace(f"{tmp_path}/", "").split("\n")
    assert [line.split(" waits for ")[1] for line in lines[1:]] == [
        "a receiver of the channel made at x.lua:2 (generation 1)",
        "a value from the channel made at x.lua:2 (generation 2)",
    ]
