"""How specs run: where failures are, what hangs, signals, random numbers."""

from __future__ import annotations

import re
import signal
import time
from pathlib import Path

import pytest

from tests.support.command_line import popen, script
from tests.support.specs import in_folder, json_lines, one_spec, outcomes, said, summary
from tests.support.waiting import wait_for, wait_for_end

# Failures and their places ------------------------------------------------------------------------


def test_a_failure_names_the_author_s_line_and_frames_alone(tmp_path: Path) -> None:
    script(tmp_path, "local check = {}\nfunction check.one(x)\n  assert.is_true(x)\nend\n"
           "return check\n", "check.lua")  # fmt: skip
    message = said(tmp_path, "  require('check').one(1)\n")
    assert message.splitlines() == [
        "check.lua:3: expected true",
        "but got 1",
        "  check.lua:3: in function 'one'",
        "  x_spec.lua:2: in function 'fn'",
    ]


def test_an_error_of_a_worker_keeps_both_tracebacks(tmp_path: Path) -> None:
    message = said(tmp_path, "  swarm.call(function()\n    error('deep')\n  end)")
    assert "x_spec.lua:3: deep" in message
    assert "because worker function at x_spec.lua:2" in message


def test_an_unowned_failure_and_a_deadlock_fail_a_spec(tmp_path: Path) -> None:
    assert "nobody joined it" in said(tmp_path, "swarm.spawn(function() error('x') end)")
    message = said(tmp_path, "  swarm.call(function(ctx) ctx.cancel_token:wait() end)")
    assert "deadlock: every worker waits, and nothing can wake one" in message
    assert "waits for cancel token" in message


def test_before_and_after_each_fail_a_spec_and_both_errors_are_kept(tmp_path: Path) -> None:
    hooks = "before_each(function() print('before') end)\nafter_each(function() error('a') end)\n"
    script(tmp_path, hooks + one_spec("error('b')"), "a_spec.lua")
    out = in_folder(tmp_path)[1]
    assert "a_spec.lua:4: b\n" in out
    assert "a_spec.lua:2: a\n" in out
    script(tmp_path, "before_each(function() error('early') end)\n" + one_spec(""), "a_spec.lua")
    assert "a_spec.lua:1: early" in in_folder(tmp_path)[1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("it('x', function(", "a_spec.lua:1:"),
        ("error('while loading')", "a_spec.lua:1: while loading"),
        ("describe('d', function()\n  error('inside')\nend)", "a_spec.lua:2: inside"),
        ("describe('d')", "describe takes a function that holds its specs"),
        ("it(5, function() end)", "it takes a name first, and got 5"),
        ("it('\\255', function() end)", "UTF-8"),
        ("it('x', 5)", "it takes a function second, and got 5"),
        ("before_each(5)", "before_each takes a function, and got 5"),
        ("swarm.script('none.lua')", "a_spec.lua:1: cannot read script none.lua"),
        ("swarm.script(5)", "swarm.script takes a script's path, and got 5"),
        ("swarm.script('broken.lua')", "broken.lua:2:"),
        ("mock.worker('nobody', print)", 'there is no worker "nobody"'),
        ("mock.worker('x', 5)", "mock.worker takes a function second, and got 5"),
        ("mock.worker(nil, print)", "mock.worker takes a name, and got nil"),
        ("mock.prot('http', print)", "mock.prot does not exist; did you mean mock.port?"),
        ("mock.port('htpt', print)", 'there is no port "htpt"; did you mean http?'),
        ("swarm.sleep(1)", "while it loads"),
        ("assert.samee({}, {})", "did you mean assert.same?"),
    ],
)
def test_a_file_that_does_not_load_is_exit_2_and_the_others_run(
    tmp_path: Path, text: str, message: str
) -> None:
    script(tmp_path, text, "a_spec.lua")
    script(tmp_path, "\nx x", "broken.lua")
    script(tmp_path, one_spec(""), "good_spec.lua")
    status, out, _ = in_folder(tmp_path)
    assert status == 2
    assert "a_spec.lua: does not load\ngood_spec.lua: 1 passed\n" in out
    assert message in out
    assert summary(out.encode()) == "1 passed, 1 file does not load"


@pytest.mark.parametrize("call", ["it('y', print)", "describe('y', print)", "before_each(print)"])
def test_specs_inside_a_spec_are_an_error(tmp_path: Path, call: str) -> None:
    assert "not inside an `it`" in said(tmp_path, call)


# Time ---------------------------------------------------------------------------------------------


def test_a_spec_that_hangs_fails_and_the_others_go_on(tmp_path: Path) -> None:
    text = "it('hangs', function()\n  while true do\n    swarm.sleep(1)\n  end\nend)\n"
    script(tmp_path, text + one_spec(""), "a_spec.lua")
    status, out, _ = in_folder(tmp_path, "--timeout", "2")
    assert status == 1
    assert "a_spec.lua:1: did not end within 2 s of real time\n" in out
    assert "T-1 hangs at a_spec.lua:3 waits for" in out
    assert summary(out.encode()) == "1 passed, 1 failed"


def test_a_spec_that_holds_lua_fails_and_the_others_go_on(tmp_path: Path) -> None:
    text = "it('spins', function()\n  print('last words')\n  while true do end\nend)\n"
    script(tmp_path, text + one_spec(""), "a_spec.lua")
    started = time.monotonic()
    status, out, _ = in_folder(tmp_path, "--timeout", "2")
    assert status == 1
    assert 'worker "spins" (T-1) has control and does not give it back' in out
    assert "last words" in out
    assert summary(out.encode()) == "1 passed, 1 failed"
    assert time.monotonic() - started < 20


def test_a_spec_that_swallows_its_cancel_is_told_by_what_it_waited_for(tmp_path: Path) -> None:
    text = "it('swallows', function()\n  while true do\n    pcall(swarm.sleep, 1)\n  end\nend)\n"
    script(tmp_path, text + one_spec(""), "a_spec.lua")
    status, out, _ = in_folder(tmp_path, "--timeout", "2")
    assert status == 1
    assert "T-1 swallows at a_spec.lua:3 waits for" in out
    assert "is abandoned: it swallows its cancel, and goes on for ever, at a_spec.lua:3" in out
    assert summary(out.encode()) == "1 passed, 1 failed"


def test_a_file_that_never_loads_fails_by_its_name(tmp_path: Path) -> None:
    script(tmp_path, "while true do end", "a_spec.lua")
    script(tmp_path, one_spec(""), "b_spec.lua")
    status, out, _ = in_folder(tmp_path, "--timeout", "2")
    assert status == 2
    assert "a_spec.lua: did not load within 2 s" in out
    assert "b_spec.lua: 1 passed" in out


def test_too_many_that_hold_lua_end_the_run(tmp_path: Path) -> None:
    text = "for i = 1, 5 do it('spins ' .. i, function() while true do end end) end"
    script(tmp_path, text, "a_spec.lua")
    status, out, _ = in_folder(tmp_path, "--timeout", "2")
    assert status == 1
    assert summary(out.encode()) == "0 passed, 3 failed, 2 not run"


def test_virtual_time_costs_none(tmp_path: Path) -> None:
    body = "swarm.sleep(86400) assert.equal(86400, swarm.monotonic()) clock.advance(10)"
    script(tmp_path, one_spec(body), "a_spec.lua")
    started = time.monotonic()
    assert in_folder(tmp_path)[0] == 0
    assert time.monotonic() - started < 10


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("body", ["while true do swarm.sleep(1) end", "while true do end"])
def test_a_signal_ends_the_run_with_what_is_known(
    tmp_path: Path, number: signal.Signals, body: str
) -> None:
    begin = f"io.open('{tmp_path}/begun', 'w'):close() "  # at once: nobody else has a turn before
    path = script(tmp_path, "it('passes', function() end)\n" + one_spec(begin + body))
    with popen("test", "--trust", path) as process:
        wait_for(tmp_path / "begun")
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
    assert process.returncode == 128 + number, (out, err)
    assert f"1 passed, 1 not run, interrupted by {number.name}".encode() in out
    assert (b"had control: " in out) == (body == "while true do end")
    assert b"Traceback" not in err


CHILD = """
swarm.worker "child" {
  kind = "process",
  command = { "sh", "-c", "echo $$ >p; mv p pid; exec sleep 60" },
}
it("cleans up", function()
  pcall(swarm.call, "child")
  swarm.shield(function() swarm.fs.write("cleaning", "") swarm.call "child" end)
end)
"""


@pytest.mark.parametrize("numbers", [[signal.SIGINT, signal.SIGINT], [signal.SIGHUP]])
def test_who_ends_at_once_takes_its_children_along(
    tmp_path: Path, numbers: list[signal.Signals], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    pid = tmp_path / "pid"
    with popen("test", script(tmp_path, CHILD)) as process:
        wait_for(pid)
        for number in numbers[:-1]:
            process.send_signal(number)
            wait_for(tmp_path / "cleaning")
            time.sleep(0.2)  # signals closer to the first than 0.1 s are the same one
        process.send_signal(numbers[-1])
        assert process.wait(timeout=20) == -numbers[-1]
    wait_for_end(int(pid.read_text()))


# Randomness ---------------------------------------------------------------------------------------

ROLLS = """
for _, name in ipairs { "one", "two" } do
  it(name, function()
    error(swarm.random() .. " " .. swarm.random(1000) .. " " .. swarm.uuid() .. " "
      .. math.random(1000))
  end)
end
"""


def rolls(folder: Path, *words: str) -> list[str]:
    lines = json_lines(folder, *words)
    return [line["error"]["message"] for line in lines if line["type"] == "spec"]


def test_a_seed_gives_the_same_numbers_whatever_else_runs(tmp_path: Path) -> None:
    script(tmp_path, ROLLS, "a_spec.lua")
    one, two = rolls(tmp_path, "--seed", "123")
    assert one == two
    assert rolls(tmp_path, "--seed", "123", "--filter", "two") == [two]
    assert rolls(tmp_path, "--seed", "124")[0] != one
    assert len(set(one.split())) == 5  # the place and four numbers


def test_the_seed_is_told_and_replays(tmp_path: Path) -> None:
    script(tmp_path, ROLLS, "a_spec.lua")
    out = in_folder(tmp_path)[1]
    again = re.search(r"again: swarm-host test (--seed \d+ a_spec.lua:\d+)", out)
    assert again is not None
    failure = next(line for line in out.splitlines() if line.startswith("  a_spec.lua:4: "))
    assert failure in in_folder(tmp_path, *again[1].split())[1]
    assert rolls(tmp_path) != rolls(tmp_path)


def test_a_spec_that_a_module_makes_is_run_again_by_its_name(tmp_path: Path) -> None:
    script(tmp_path, "return function(n) it('made ' .. n, function() error(n) end) end", "make.lua")
    script(tmp_path, "local make = require 'make' make(1) make(2)", "a_spec.lua")
    out = in_folder(tmp_path, "--seed", "1")[1]
    assert "FAILED made 2 (make.lua:1)" in out
    assert "again: swarm-host test --seed 1 --filter 'made 2' a_spec.lua\n" in out
    assert list(outcomes(tmp_path, "--filter", "made 2", "a_spec.lua")) == ["made 2"]
