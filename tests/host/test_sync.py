"""Channels, semaphores, events and locks where a spec cannot look: the end of a run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.command_line import run, script

MAIN = "swarm.main(function()\n{}\nend)"


@pytest.mark.parametrize(
    ("body", "waits_for"),
    [
        ("swarm.channel():recv()", "a value from the channel made at script.lua:2"),
        ("swarm.channel():send(1)", "a receiver of the channel made at script.lua:2"),
        (
            "local c = swarm.channel(1)\nc:send(1)\nc:send(2)",
            "room in the channel made at script.lua:2",
        ),
        ("for _ in swarm.channel(5):iter() do end", "a value from the channel"),
        (
            "local s = swarm.semaphore(1)\ns:acquire()\ns:with(print)",
            "a permit of the semaphore made at script.lua:2",
        ),
        ("swarm.event():wait()", "the event made at script.lua:2"),
        (
            "local l = swarm.lock()\nl:with(function()\n"
            "swarm.join(swarm.spawn(function() l:with(print) end)) end)",
            'the lock made at script.lua:2, which worker "main" (T-1) holds',
        ),
    ],
)
def test_a_deadlock_says_what_is_waited_for(tmp_path: Path, body: str, waits_for: str) -> None:
    script(tmp_path, MAIN.format(body))
    done = run("script.lua", cwd=tmp_path)
    assert done.returncode == 1
    assert b"deadlock: every worker waits" in done.stderr
    assert f"waits for {waits_for}".encode() in done.stderr


def test_a_ring_of_locks_is_a_deadlock_that_names_both(tmp_path: Path) -> None:
    body = """local a, b = swarm.lock(), swarm.lock()
    for _, pair in ipairs { { a, b }, { b, a } } do
      swarm.spawn(function()
        pair[1]:with(function()
          swarm.yield()
          pair[2]:with(print)
        end)
      end)
    end"""
    script(tmp_path, MAIN.format(body))
    done = run("script.lua", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.count(b"waits for the lock made at script.lua:2") == 2
    assert b"(T-2) holds" in done.stderr
    assert b"(T-3) holds" in done.stderr


@pytest.mark.parametrize("made", ["channel()", "semaphore(1)", "event()", "lock()"])
def test_none_leaves_the_program(tmp_path: Path, made: str) -> None:
    name = made.partition("(")[0]
    path = script(tmp_path, MAIN.format(f"return {{ it = swarm.{made} }}"))
    done = run("--json", path)
    assert done.returncode == 1
    assert f"result.it is a{'n' if name == 'event' else ''} {name}".encode() in done.stderr


def test_in_events_each_stands_as_what_it_is(tmp_path: Path) -> None:
    body = "local c = swarm.channel()\nlocal h = swarm.spawn(function() return c end)\nh:join()"
    body += "\nswarm.log.info('made', { it = swarm.lock() })"
    script(tmp_path, MAIN.format(body))
    done = run("--events", "events.jsonl", "script.lua", cwd=tmp_path)
    assert done.returncode == 0
    assert b"lock made at script.lua:5" in done.stderr
    for line in (tmp_path / "events.jsonl").read_text().splitlines():
        json.loads(line)


def test_one_may_be_made_while_a_script_loads_and_not_waited_for(tmp_path: Path) -> None:
    path = script(tmp_path, "local s = swarm.semaphore(1)\ns:acquire()\n" + MAIN.format(""))
    done = run(path)
    assert done.returncode != 0
    assert b"script.lua:2: a script cannot spawn, wait" in done.stderr
