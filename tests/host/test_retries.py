"""What spec/structure/retries/ says of the run around a task: its log, events, reloads, memory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import anyio
import pytest

from swarm_host import Host, Options, WorkerFailed, WorkerTimeout
from tests.support.command_line import run, script
from tests.support.waiting import within

FLAKY = """
swarm.worker "flaky" {
  retries = { max = 2, backoff = 0 },
  run = function(ctx, works_at)
    ctx:progress("try")
    if ctx.attempt < works_at then error("not yet") end
    return ctx.attempt
  end,
}
"""


def events_of(folder: Path, text: str) -> list[dict[str, Any]]:
    """The events of a run, save for main's."""
    file = folder / "events.jsonl"
    run("--events", file, script(folder, text))
    events = [json.loads(line) for line in file.read_text().splitlines()]
    return [event for event in events if event.get("name") == "flaky"]


def test_the_events_of_a_task_that_is_tried_again_come_in_order(tmp_path: Path) -> None:
    events = events_of(tmp_path, FLAKY + 'swarm.main(function() return swarm.call("flaky", 3) end)')
    assert [(event["type"], event["attempt"]) for event in events] == [
        ("task_created", 1),
        *[
            (kind, attempt)
            for attempt in (1, 2)
            for kind in (
                "task_attempt_started",
                "worker_output",
                "task_attempt_completed",
                "retry",
            )
        ],
        ("task_attempt_started", 3),
        ("worker_output", 3),
        ("worker_output", 3),  # the final
        ("task_attempt_completed", 3),
        ("task_pass", 3),
    ]
    assert len({event["task_id"] for event in events}) == 1
    workers = [event["worker_id"] for event in events if event["type"] == "task_attempt_started"]
    assert len(set(workers)) == 3
    retries = [event for event in events if event["type"] == "retry"]
    assert [(event["status"], event["delay"]) for event in retries] == [("failed", 0)] * 2
    assert all("not yet" in event["reason"] for event in retries)


def test_a_cancel_between_two_attempts_completes_no_attempt(tmp_path: Path) -> None:
    main = """
    swarm.main(function()
      local h = swarm.spawn("flaky", 9, { retries = { max = 1, backoff = 60 } })
      for _ in h:follow() do end
      h:cancel("enough")
    end)
    """
    events = events_of(tmp_path, FLAKY + main)
    assert [event["type"] for event in events] == [
        "task_created",
        "task_attempt_started",
        "worker_output",
        "task_attempt_completed",
        "retry",
        "task_cancelled",
    ]
    assert events[-1]["attempt"] == 2
    assert "enough" in events[-1]["reason"]


def test_the_events_of_invocations_name_the_worker_of_the_session(tmp_path: Path) -> None:
    main = """
    swarm.main(function()
      local s = swarm.open "flaky"
      s:invoke(2)
      s:invoke(1)
    end)
    """
    events = events_of(tmp_path, FLAKY + main)
    created = [event for event in events if event["type"] == "task_created"]
    held, *invocations = created
    assert len(invocations) == 2
    assert {event["worker_id"] for event in events} == {held["worker_id"]}
    assert {event["parent"] for event in invocations} == {held["task_id"]}


def test_a_failure_that_nobody_owns_is_logged_once_after_the_last_attempt(tmp_path: Path) -> None:
    main = """
    swarm.main(function()
      local h = swarm.spawn("flaky", 9)
      swarm.sleep(0.02)
      swarm.log.info("now at " .. h.attempt)
      h:join()
    end)
    """
    done = run(script(tmp_path, FLAKY + main))
    said = done.stderr.decode()
    assert said.count('worker "flaky" failed') == 1
    assert said.index('worker "flaky" failed after 3 attempts: ') < said.index("now at 3")


def test_an_attempt_that_is_tried_again_is_not_logged(tmp_path: Path) -> None:
    main = 'swarm.main(function() swarm.spawn("flaky", 3) end)'
    done = run(script(tmp_path, FLAKY + main))
    assert done.returncode == 0
    assert done.stderr.splitlines()[0] == b"1 task was tried again:"  # the summary, and no log


def test_a_detached_task_fails_the_run_by_its_last_attempt_only(tmp_path: Path) -> None:
    main = 'swarm.main(function() swarm.spawn("flaky", {}, {{ detached = true }}) end)'
    assert run(script(tmp_path, FLAKY + main.format(3))).returncode == 0
    failed = run(script(tmp_path, FLAKY + main.format(9)))
    assert failed.returncode == 1
    assert failed.stderr.count(b"not yet") >= 1


def test_a_host_is_told_of_the_end_of_a_task_once(tmp_path: Path) -> None:
    async def main() -> None:
        async with Host.load(script(tmp_path, FLAKY)) as host:
            assert await host.call("flaky", 3) == 3
            handle = host.spawn("flaky", 9)
            with pytest.raises(WorkerFailed) as caught:
                await handle.join()
            assert caught.value.error["attempts"] == 3

    within(20, main)


def test_a_host_cancels_a_task_while_it_cleans_up_after_its_deadline(tmp_path: Path) -> None:
    text = """
    local tries = 0
    swarm.worker "late" {
      timeout = 0.01,
      retries = { max = 5, backoff = 0 },
      run = function(ctx)
        tries = tries + 1
        pcall(swarm.sleep, 60)
        ctx:progress("cleaning")
        swarm.shield(function() swarm.sleep(0.2) end)
      end,
    }
    swarm.worker "tries" { run = function() return tries end }
    """

    async def main() -> None:
        async with Host.load(script(tmp_path, text)) as host:
            handle = host.spawn("late")
            async for event in handle.follow():
                if event["type"] == "progress":
                    break
            handle.cancel("enough")
            with pytest.raises(WorkerTimeout):
                await handle.join()
            assert await host.call("tries") == 1

    within(20, main)


VERSION = """
swarm.on_dispose(function() print("{version} is done with") end)
swarm.role "narrow" {{ extends = "worker", deny = {{ "read_env" }} }}
swarm.worker "flaky" {{
  role = "{role}",
  retries = {{ max = {most}, backoff = 0.3, factor = 1, jitter = false }},
  run = function(ctx, works_at)
    local allowed = pcall(swarm.env, "HOME")
    ctx:progress("{version}" .. ctx.generation .. tostring(allowed))
    if ctx.attempt < 3 then error("not yet") end
    return "{version}"
  end,
}}
"""


def test_later_attempts_run_the_newest_generation_with_its_rights(tmp_path: Path) -> None:
    path = script(tmp_path, VERSION.format(role="worker", most=2, version="old"))
    said: list[bytes] = []

    async def main() -> None:
        async with Host.load(path, Options(write_out=said.append)) as host:
            handle = host.spawn("flaky", 3)
            await anyio.sleep(0.05)
            path.write_text(VERSION.format(role="narrow", most=0, version="new"))
            await host.reload()
            assert await handle.result() == "new"
            tail = handle.output_tail()
            assert tail[0]["stage"] == "new2false"
            assert said == [b"old is done with\n"], "the old generation is free by then"

    within(20, main)


def test_a_name_that_the_newest_generation_lacks_is_tried_again_in_its_own(tmp_path: Path) -> None:
    path = script(tmp_path, VERSION.format(role="worker", most=2, version="old"))

    async def main() -> None:
        async with Host.load(path) as host:
            handle = host.spawn("flaky", 3)
            await anyio.sleep(0.05)
            path.write_text('swarm.worker "other" { run = function() end }')
            await host.reload()
            assert await handle.result() == "old"

    within(20, main)


def test_the_delays_of_a_seeded_run_are_the_same_each_time(tmp_path: Path) -> None:
    text = """
    swarm.main(function()
      local times = {}
      local h = swarm.spawn(function(ctx)
        times[ctx.attempt] = swarm.monotonic()
        if ctx.attempt < 6 then error("again") end
      end, nil, { retries = { max = 5, backoff = 100, max_delay = 1e6 } })
      h:join()
      return swarm.array(times)
    end)
    """
    path = script(tmp_path, text)

    async def once(seed: int) -> Any:
        async with Host.load(path, Options(virtual_clock=True, seed=seed)) as host:
            outcome = await host.run()
            return outcome.value

    async def main() -> None:
        first, again, other = await once(1), await once(1), await once(2)
        assert len(first) == 6
        assert first == again
        assert first != other

    within(20, main)


def test_memory_is_flat_over_many_attempts(tmp_path: Path) -> None:
    text = """
    swarm.main(function()
      local early, late
      local h = swarm.spawn(function(ctx, input)
        ctx:progress("try", input.text)
        if ctx.attempt % 5000 == 0 then
          require("jit").flush() -- compiled code is no leak, and comes and goes
          collectgarbage()
          late = collectgarbage("count")
          early = early or late
        end
        if ctx.attempt < 100000 then error({ code = "again" }) end
      end, { text = ("x"):rep(1000) }, { retries = { max = 1e6, backoff = 0 } })
      assert(h:join())
      return { early = early, late = late, attempt = h.attempt }
    end)
    """
    done = run("--trust", script(tmp_path, text))
    assert done.returncode == 0, done.stderr.decode()
    result = json.loads(done.stdout)
    assert result["attempt"] == 100000
    assert result["late"] < result["early"] + 1000, (
        result
    )  # ten bytes an attempt: less than a table
