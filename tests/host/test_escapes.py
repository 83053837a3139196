"""What keeps guarded scripts in: that the attempts to get out can succeed, and that a build on
which one would is found out at the start."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from swarm_host.vm import VM
from tests.support.command_line import run

ROOT = Path(__file__).resolve().parents[2]
WORDS = ("--lua-path", ROOT / "spec" / "lua")
ESCAPES = ROOT / "spec" / "sandbox" / "escapes" / "escapes_spec.lua"


def test_a_trusted_script_gets_out_by_many_of_the_same_attempts() -> None:
    done = run("test", *WORDS, "--json", "--trust", ESCAPES)
    ends = [json.loads(line) for line in done.stdout.splitlines()]
    failed = [one for one in ends if one.get("status") == "failed"]
    assert len(failed) >= 25
    assert all("got hold of" in json.dumps(one) for one in failed)
    guarded = run("test", *WORDS, ESCAPES)
    assert guarded.returncode == 0


def broken(env: str) -> list[str]:
    """The promises that an environment breaks."""
    runtime: Any = VM()._runtime
    ask = runtime.eval(
        "function(make) local proof = require 'swarm.sandbox.proof' "
        "return table.concat(proof.broken(loadstring('return ' .. make)()), '\\n') end"
    )
    said: bytes = ask(env.encode())
    return said.decode().splitlines()


def test_the_real_globals_break_what_is_promised() -> None:
    assert len(broken("_G")) >= 8


@pytest.mark.parametrize(
    ("change", "promise"),
    [
        ("env.python = {}", "no Python object"),
        ("env.string = string", "no library table"),
        ("env.load = loadstring", "bytecode"),
        ("env.string.dump = string.dump", "bytecode"),
        ("env.newproxy = newproxy", "when it is collected"),
        ("env.debug.getregistry = debug.getregistry", "no function of debug"),
        ("env.setfenv = setfenv", "environment read or set"),
        ("env.tostring = tostring", "no addresses"),
        ("env.ffi = {}", "ffi, jit and package"),
        ("env.collectgarbage = collectgarbage", "belongs to the process"),
    ],
)
def test_each_promise_is_looked_at(change: str, promise: str) -> None:
    """A guarded environment with one thing in it that must not be there."""
    make = (
        "(function() local env = {} require('swarm.sandbox.guarded')(env, {}) "
        "env.package, env.coroutine = env.package or {}, {} "
        f"{change} return env end)()"
    )
    assert any(promise in one for one in broken(make)), broken(make)


def test_a_guarded_environment_keeps_them_all() -> None:
    make = (
        "(function() local env = {} require('swarm.sandbox.guarded')(env, {}) "
        "env.coroutine = {} return env end)()"
    )
    assert broken(make) == []


def test_a_build_that_does_not_hold_is_refused() -> None:
    runtime: Any = VM()._runtime
    check = runtime.eval(
        "function() local ok, err = pcall(require('swarm.sandbox.proof').check, _G) "
        "return tostring(ok) .. ' ' .. err.code .. ' ' .. err.message end"
    )
    said = check().decode()
    assert said.startswith(
        "false host_error swarm-host does not start: guarded scripts are not held"
    )
    assert "It does not hold that bytecode is not loaded; that" in said
