"""``swarm-host test``: finding specs, running them, and every form of the report."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import time
from pathlib import Path
from subprocess import Popen
from typing import Any
from xml.etree import ElementTree as Xml

import pytest

from tests.command_line import popen, run, script

SUMS = """\
local function add(a, b)
  return a + b
end

describe("add", function()
  it("adds", function()
    print("hidden")
    assert.equal(3, add(1, 2))
  end)
  it("adds #slow numbers", function()
    assert.equal(5, add(2, 2))
  end)
  describe("of strings", function()
    it("is not there yet")
    it("adds numerals", function()
      assert.equal(3, add("1", "2"))
    end)
  end)
end)

it("stands alone", function() end)
"""

APP = """\
swarm.worker "double" {
  timeout = 5,
  input_schema = { type = "number" },
  run = function(_, n) return n * 2 end,
}
swarm.worker "page" {
  run = function(_, url) return swarm.http.request({ url = url }).body end,
}
swarm.after("double", function(_, result)
  result.value = result.value + 1
  return result
end)
swarm.main(function(args, ctx)
  if args[1] == "block" then
    return "so far", "no more"
  elseif args[1] == "fail" then
    error("it broke")
  end
  return { args = args, face = swarm.args, input = ctx.input, sum = swarm.call("double", 4) }
end)
"""


def one_spec(body: str) -> str:
    return f'it("does it", function()\n{body}\nend)\n'


def summary(out: bytes) -> str:
    """The last line, without the time and the seed."""
    last = out.decode().splitlines()[-1]
    return re.sub(r" in [\d.]+ s \(seed \d+\)$", "", last)


def in_folder(folder: Path, *words: str) -> tuple[int, str, str]:
    done = run("test", *words, cwd=folder)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def json_lines(folder: Path, *words: str) -> list[dict[str, Any]]:
    out = in_folder(folder, "--json", *words)[1]
    return [json.loads(line) for line in out.splitlines()]


def outcomes(folder: Path, *words: str) -> dict[str, str]:
    lines = json_lines(folder, *words)
    return {line["name"]: line["status"] for line in lines if line["type"] == "spec"}


def said(folder: Path, body: str, *words: str) -> str:
    """What a spec with this body says where it fails."""
    script(folder, one_spec(body), "x_spec.lua")
    lines = json_lines(folder, *words, "x_spec.lua")
    specs = [line for line in lines if line["type"] == "spec"]
    assert len(specs) == 1, lines
    assert specs[0]["status"] == "failed", specs
    message: str = specs[0]["message"]
    return message


# Finding ------------------------------------------------------------------------------------------


def test_specs_are_found_below_the_working_directory(tmp_path: Path) -> None:
    for name in ("a_spec.lua", "deep/er/b_spec.lua", "c.lua", "spec.lua"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        script(tmp_path, one_spec(""), name)
    for hidden in (".git", "node_modules", "venv", "other"):
        (tmp_path / hidden).mkdir()
        script(tmp_path / hidden, "error('not meant')", "x_spec.lua")
    (tmp_path / "other" / "pyvenv.cfg").touch()
    status, out, _ = in_folder(tmp_path)
    assert status == 0
    assert out.splitlines()[:2] == ["a_spec.lua: 1 passed", "deep/er/b_spec.lua: 1 passed"]


def test_files_and_folders_are_run_once_each(tmp_path: Path) -> None:
    script(tmp_path, SUMS, "a_spec.lua")
    script(tmp_path, one_spec(""), "any_name.lua")
    assert len(outcomes(tmp_path, ".", "a_spec.lua", "./a_spec.lua:6")) == 5
    assert outcomes(tmp_path, "any_name.lua") == {"does it": "passed"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere"], "nowhere: no such file or folder"),
        (["nowhere.lua:3"], "nowhere.lua:3: no such file or folder"),
        (["empty"], "no specs found: there is no file *_spec.lua in empty"),
        ([".:3"], "a line is one of a file"),
        (["none_spec.lua"], "no specs found: none_spec.lua defines none"),
        (["a_spec.lua:4"], "there is no spec at a_spec.lua:4; its specs are at lines 6, 10, 14"),
        (["a_spec.lua:999"], "there is no spec at a_spec.lua:999"),
        (["--filter", "nothing", "a_spec.lua"], 'none of 5 specs has "nothing" in its name'),
        (["--tap", "--json"], "take one"),
        (["--watch", "--list"], "do not go together"),
        (["--timeout", "0"], "Invalid value"),
        (["--seed", "-1"], "Invalid value"),
        (["--seed", "x"], "Invalid value"),
        (["--junit", "empty", "a_spec.lua"], "is a directory"),
        (["--junit", "", "a_spec.lua"], "--junit names no file"),
        ([""], "a path is an empty word"),
        (["--nonsense"], "No such option"),
    ],
)
def test_what_means_nothing_is_a_usage_error(
    tmp_path: Path, words: list[str], message: str
) -> None:
    (tmp_path / "empty").mkdir()
    script(tmp_path, SUMS, "a_spec.lua")
    script(tmp_path, "", "none_spec.lua")
    status, out, err = in_folder(tmp_path, *words)
    assert status == 2
    assert message in err
    assert out == ""


# Choosing -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "count"),
    [
        (["--filter", "ADDS"], 3),
        (["--filter", "#slow"], 1),
        (["--filter", "#slow", "--filter", "alone"], 2),
        (["--filter", "add > of strings > is"], 1),
        (["a_spec.lua:6"], 1),
        (["a_spec.lua:8"], 1),
        (["a_spec.lua:13"], 2),
        (["a_spec.lua:5"], 4),
        (["a_spec.lua:6", "a_spec.lua:21"], 2),
        (["--filter", "adds", "a_spec.lua:13"], 1),
    ],
)
def test_a_filter_and_a_line_choose(tmp_path: Path, words: list[str], count: int) -> None:
    script(tmp_path, SUMS, "a_spec.lua")
    assert len(outcomes(tmp_path, *words)) == count


def test_list_runs_nothing(tmp_path: Path) -> None:
    script(tmp_path, SUMS + one_spec("error('run')"), "a_spec.lua")
    status, out, _ = in_folder(tmp_path, "--list", "--filter", "add")
    assert status == 0
    assert out.splitlines() == [
        "a_spec.lua:6: add > adds",
        "a_spec.lua:10: add > adds #slow numbers",
        "a_spec.lua:14: add > of strings > is not there yet (pending)",
        "a_spec.lua:15: add > of strings > adds numerals",
    ]


def test_fail_fast_runs_nothing_after_the_first_failure(tmp_path: Path) -> None:
    script(tmp_path, SUMS, "a_spec.lua")
    status, out, _ = in_folder(tmp_path, "--fail-fast")
    assert status == 1
    assert summary(out.encode()) == "1 passed, 1 failed, 1 pending, 2 not run"


# The report for people ----------------------------------------------------------------------------


def test_the_report_counts_and_shows_failures_alone(tmp_path: Path) -> None:
    script(tmp_path, SUMS, "a_spec.lua")
    done = run("test", "--seed", "7", cwd=tmp_path)
    out = re.sub(r"in [\d.]+ s", "in 0.0 s", done.stdout.decode())
    assert done.returncode == 1
    assert done.stderr == b""
    assert out == (
        "a_spec.lua > add: 2 passed, 1 failed, 1 pending\n"
        "a_spec.lua: 1 passed\n"
        "\n"
        "FAILED add > adds #slow numbers (a_spec.lua:10)\n"
        "  a_spec.lua:11: expected 5\n"
        "  but got 4\n"
        "    a_spec.lua:11: in function 'fn'\n"
        "  again: swarm-host test --seed 7 a_spec.lua:10\n"
        "\n"
        "3 passed, 1 failed, 1 pending in 0.0 s (seed 7)\n"
    )


def test_all_passed_is_exit_0_and_what_passed_says_nothing(tmp_path: Path) -> None:
    script(tmp_path, one_spec("print('hidden') swarm.log.info('hidden')"), "a_spec.lua")
    status, out, err = in_folder(tmp_path)
    assert (status, err) == (0, "")
    assert "hidden" not in out


def test_a_failure_shows_what_was_printed_and_logged_in_order(tmp_path: Path) -> None:
    body = "print('one') swarm.log.warn('two', { n = 1 }) io.stderr:write('three\\n') error('x')"
    script(tmp_path, one_spec(body), "a_spec.lua")
    out = in_folder(tmp_path)[1]
    assert "  it said:\n    one\n    warn: two n=1\n    three\n" in out


def test_a_flood_of_words_is_cut(tmp_path: Path) -> None:
    body = "for i = 1, 100000 do print('line', i) end error('x')"
    script(tmp_path, one_spec(body), "a_spec.lua")
    out = in_folder(tmp_path)[1]
    assert "line\t100000\n" in out
    assert "more lines\n" in out
    assert len(out) < 4000


def test_colours_are_for_a_terminal(tmp_path: Path) -> None:
    path = script(tmp_path, SUMS, "a_spec.lua")
    assert b"\x1b[" not in run("test", path).stdout
    leader, follower = pty.openpty()
    try:
        with Popen(
            ["/usr/bin/env", *popen_words("test", str(path))], stdout=follower, stderr=follower
        ) as process:
            os.close(follower)
            drawn = drain(leader, process)
    finally:
        os.close(leader)
    assert b"\x1b[31m1 failed\x1b[0m" in drawn


def popen_words(*words: str) -> list[str]:
    from tests.command_line import SWARM_HOST

    return [*SWARM_HOST, *words]


def drain(leader: int, process: Popen[bytes]) -> bytes:
    drawn = b""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if select.select([leader], [], [], 0.1)[0]:
            try:
                drawn += os.read(leader, 65536)
            except OSError:
                break
        elif process.poll() is not None:
            break
    return drawn


def test_a_closed_stdout_ends_it(tmp_path: Path) -> None:
    path = script(
        tmp_path, "".join(f'describe("{i}", function() it("x") end)\n' for i in range(9000))
    )
    with popen("test", path) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(timeout=30) == 1
        assert process.stderr is not None
        assert b"Traceback" not in process.stderr.read()


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
        ("it('x') it('x')", 'two specs are called "x"; the first is at a_spec.lua:1'),
        ("it(5, function() end)", "it takes a name first, and got 5"),
        ("it('', function() end)", 'it takes a name first, and got ""'),
        ("it('\\255', function() end)", "UTF-8"),
        ("it('x', 5)", "it takes a function second, and got 5"),
        ("before_each(5)", "before_each takes a function, and got 5"),
        ("swarm.script('none.lua')", "none.lua"),
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
    status, out, _ = in_folder(tmp_path, "--timeout", "0.5")
    assert status == 1
    assert "a_spec.lua:1: did not end within 0.5 s of real time\n" in out
    assert "T-1 hangs at a_spec.lua:3 waits for" in out
    assert summary(out.encode()) == "1 passed, 1 failed"


def test_a_spec_that_holds_lua_fails_and_the_others_go_on(tmp_path: Path) -> None:
    text = "it('spins', function()\n  print('last words')\n  while true do end\nend)\n"
    script(tmp_path, text + one_spec(""), "a_spec.lua")
    started = time.monotonic()
    status, out, _ = in_folder(tmp_path, "--timeout", "0.5")
    assert status == 1
    assert 'worker "spins" (T-1) has control and does not give it back' in out
    assert "last words" in out
    assert summary(out.encode()) == "1 passed, 1 failed"
    assert time.monotonic() - started < 20


def test_a_spec_that_swallows_its_cancel_is_told_by_what_it_waited_for(tmp_path: Path) -> None:
    text = "it('swallows', function()\n  while true do\n    pcall(swarm.sleep, 1)\n  end\nend)\n"
    script(tmp_path, text + one_spec(""), "a_spec.lua")
    status, out, _ = in_folder(tmp_path, "--timeout", "0.5")
    assert status == 1
    assert "T-1 swallows at a_spec.lua:3 waits for" in out
    assert "It did not end when it was cancelled either" in out
    assert summary(out.encode()) == "1 passed, 1 failed"


def test_a_file_that_never_loads_fails_by_its_name(tmp_path: Path) -> None:
    script(tmp_path, "while true do end", "a_spec.lua")
    script(tmp_path, one_spec(""), "b_spec.lua")
    status, out, _ = in_folder(tmp_path, "--timeout", "0.5")
    assert status == 2
    assert "a_spec.lua: did not load within 0.5 s" in out
    assert "b_spec.lua: 1 passed" in out


def test_too_many_that_hold_lua_end_the_run(tmp_path: Path) -> None:
    text = "for i = 1, 5 do it('spins ' .. i, function() while true do end end) end"
    script(tmp_path, text, "a_spec.lua")
    status, out, _ = in_folder(tmp_path, "--timeout", "0.1")
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
    begin = f"swarm.fs.write('{tmp_path}/begun', '') "
    path = script(tmp_path, "it('passes', function() end)\n" + one_spec(begin + body))
    with popen("test", path) as process:
        wait_for(tmp_path / "begun")
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
    assert process.returncode == 128 + number, (out, err)
    assert f"1 passed, 1 not run, interrupted by {number.name}".encode() in out
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


def wait_for_end(pid: int, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while is_alive(pid):
        assert time.monotonic() < deadline, f"process {pid} goes on"
        time.sleep(0.01)


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_for(file: Path, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not file.exists():
        assert time.monotonic() < deadline, f"{file} did not come"
        time.sleep(0.01)


# assert.* -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "got", "lines"),
    [
        ("{ a = 1 }", "{ a = 2 }", [".a: expected 1, got 2"]),
        ("{ a = 1 }", "{}", [".a: missing, expected 1"]),
        ("{}", "{ a = { b = 1 } }", [".a: unexpected, got { b = 1 }"]),
        (
            '{ items = { 1, 2, { name = "a" } } }',
            '{ items = { 1, 2, { name = "b" } } }',
            ['.items[3].name: expected "a", got "b"'],
        ),
        ("{ 1, 2, 3, 4 }", "{ 1, 3, 4 }", ["[2]: missing, expected 2"]),
        ("{ 2, 3 }", "{ 1, 2, 3 }", ["[1]: unexpected, got 1"]),
        ('{ ["a key"] = 1 }', '{ ["a key"] = "1" }', ['["a key"]: expected 1, got "1"']),
        ("{ x = 0.1 + 0.2 }", "{ x = 0.3 }", [".x: expected 0.30000000000000004, got 0.3"]),
        (
            '{ t = ("x"):rep(500) .. "a" }',
            '{ t = ("x"):rep(500) .. "b" }',
            [
                ".t: the strings (501 and 501 bytes) differ at byte 501",
                '  - ..."' + "x" * 20 + 'a"',
                '  + ..."' + "x" * 20 + 'b"',
            ],
        ),
        (
            '{ t = "one\\ntwo\\nthree\\nfour" }',
            '{ t = "one\\ntwo\\n3\\nfour" }',
            [
                ".t: the texts differ from line 3 on",
                "    two",
                "  - three",
                "  + 3",
                "    four",
            ],
        ),
        ("{ swarm.file('a') }", "{ swarm.file('b') }", ["[1]: expected swarm.file: a, got "
                                                         "swarm.file: b"]),
    ],
)  # fmt: skip
def test_same_shows_where_two_values_differ(
    tmp_path: Path, wanted: str, got: str, lines: list[str]
) -> None:
    message = said(tmp_path, f"  assert.same({wanted}, {got})").splitlines()
    assert message[0] == "x_spec.lua:2: the values differ (- expected, + got)"
    assert message[1:-1] == [f"  {line}" for line in lines]


def test_same_is_bounded_for_huge_values(tmp_path: Path) -> None:
    body = """
      local a, b = {}, {}
      for i = 1, 200000 do
        a[i] = { n = i, text = ("long"):rep(100) }
        b[i] = { n = -i, text = ("long"):rep(100) }
      end
      assert.same(a, b)
    """
    message = said(tmp_path, body)
    assert len(message.splitlines()) < 20
    assert "and many more places" in message
    assert len(said(tmp_path, "assert.same({ ('x\\n'):rep(1e6) }, { ('y\\n'):rep(1e6) })")) < 1000


def test_same_knows_cycles_and_equal_values(tmp_path: Path) -> None:
    body = """
      local a, b = { n = 1 }, { n = 1 }
      a.me, b.me = a, b
      assert.same(a, b)
      assert.same({ swarm.file("x", "y") }, { swarm.file("x", "y") })
      assert.same({ swarm.null, {} }, { swarm.null, swarm.array {} })
      assert.not_same({ 1 }, { 1, 2 })
      b.n = 2
      assert.same(a, b)
    """
    assert ".n: expected 1, got 2" in said(tmp_path, body)


def test_equal_tells_of_two_tables_that_hold_the_same(tmp_path: Path) -> None:
    assert "for that there is assert.same" in said(tmp_path, "assert.equal({ 1 }, { 1 })")


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


# The script under test ----------------------------------------------------------------------------


def check_app(folder: Path, body: str, top: str = "") -> None:
    """A spec about APP that passes."""
    script(folder, APP, "app.lua")
    text = f'local app = swarm.script "app.lua"\n{top}\n' + one_spec(body)
    script(folder, text, "app_spec.lua")
    status, out, err = in_folder(folder, "app_spec.lua")
    assert status == 0, out + err


def test_a_script_is_run_with_args_and_input(tmp_path: Path) -> None:
    check_app(
        tmp_path,
        """
        local input = { x = 1 }
        local wanted = { args = { "a" }, face = { "a" }, input = input, sum = 9 }
        assert.same(wanted, app:run({ "a" }, input))
        assert.same({}, app:run().args)
        local value, err = app:run { "block" }
        assert.equal("so far", value)
        assert.equal("no more", err.reason)
        assert.has_error(function() app:run { "fail" } end, "it broke")
        assert.has_error(function() app:run { 5 } end, "item 1 is 5")
        assert.has_error(function() app:run("a") end, "a list of strings")
        assert.has_error(function() app.run() end, "with a colon")
        assert.has_error(function() app:go() end, "app")
        assert.has_error(function() app.x = 1 end, "cannot be written to")
        """,
    )


def test_a_script_s_workers_go_by_its_own_names(tmp_path: Path) -> None:
    check_app(
        tmp_path,
        """
        assert.equal(9, app:call("double", 4))
        assert.equal("the spec's", swarm.call("double"))
        assert.equal("only here", app:call("own"))
        local h = app:spawn("double", 1, { timeout = 1 })
        assert.is_true(h:join())
        assert.equal(3, h:result())
        assert.has_error(function() app:call("dubble") end, "did you mean double?")
        assert.has_error(function() app:call("double", "x") end, { code = "invalid_value" })
        """,
        """swarm.worker "double" { run = function() return "the spec's" end }
        swarm.worker "own" { run = function() return "only here" end }""",
    )


def test_a_script_is_loaded_anew_for_each_spec_and_may_be_loaded_inside_one(tmp_path: Path) -> None:
    script(tmp_path, "count = (count or 0) + 1\nswarm.main(function() count = count + 1 "
           "return count end)", "count.lua")  # fmt: skip
    text = """
      local app = swarm.script "count.lua"
      for i = 1, 2 do
        it("starts again " .. i, function()
          assert.equal(2, app:run())
          assert.equal(3, app:run())
          assert.equal(2, swarm.script("count.lua"):run())
        end)
      end
      it("says what is wrong", function()
        assert.has_error(function() swarm.script "none.lua" end, "none.lua")
      end)
    """
    (tmp_path / "specs").mkdir()
    script(tmp_path / "specs", text.replace("count.lua", "../count.lua"), "count_spec.lua")
    assert set(outcomes(tmp_path).values()) == {"passed"}


def test_a_script_that_changes_its_own_globals_is_run_all_the_same(tmp_path: Path) -> None:
    text = "swarm.main(function(args) return #args end) swarm = nil"
    script(tmp_path, text, "x.lua")
    text = "local app = swarm.script 'x.lua'\n" + one_spec("assert.equal(2, app:run { 'a', 'b' })")
    script(tmp_path, text, "x_spec.lua")
    assert set(outcomes(tmp_path).values()) == {"passed"}


def test_a_script_is_disposed_of_and_may_be_trusted(tmp_path: Path) -> None:
    script(tmp_path, "swarm.on_dispose(function() print('disposed') end)", "x.lua")
    text = "local app = swarm.script 'x.lua'\n" + one_spec("assert(io.open) error('no')")
    script(tmp_path, text, "x_spec.lua")
    assert "    disposed\n" in in_folder(tmp_path, "--trust")[1]
    assert "io.open is not part of guarded scripts" in in_folder(tmp_path)[1]


def test_swarm_script_and_mock_are_for_specs_alone(tmp_path: Path) -> None:
    path = script(tmp_path, "swarm.script 'x.lua'")
    assert b"swarm.script does not exist" in run(path).stderr
    assert b"mock" in run(script(tmp_path, "mock.worker('x', print)")).stderr


# Mocks --------------------------------------------------------------------------------------------


def test_a_mocked_worker_keeps_its_pipeline(tmp_path: Path) -> None:
    check_app(
        tmp_path,
        """
        local double = mock.worker("double", function(_, n) return n * 100 end)
        assert.equal(401, app:call("double", 4))  -- the after hook added 1
        assert.equal(401, app:run({}).sum)
        assert.same({ 4, 4 }, double.calls)
        assert.has_error(function() app:call("double", "x") end, { code = "invalid_value" })
        mock.worker("double", function() swarm.sleep(60) end)
        assert.has_error(function() app:call("double", 1) end, { code = "timeout" })
        mock.worker("double", function() error("no") end)
        assert.has_error(function() app:call("double", 1) end, "no")
        mock.worker("page", function() return "half", "why" end)
        local value, err = app:call "page"
        assert.equal("half", value)
        assert.equal("why", err.reason)
        """,
    )


def test_a_mock_at_the_top_holds_for_every_spec_and_no_other_file(tmp_path: Path) -> None:
    script(tmp_path, "swarm.worker 'w' { run = function() return 1 end }\nlocal w = "
           "mock.worker('w', function() return 2 end)\n"
           "for i = 1, 2 do it('mocked ' .. i, function() assert.equal(2, swarm.call('w', i)) "
           "assert.same({ i }, w.calls) end) end", "a_spec.lua")  # fmt: skip
    script(tmp_path, "swarm.worker 'w' { run = function() return 1 end }\n"
           "it('real', function() assert.equal(1, swarm.call 'w') end)", "b_spec.lua")  # fmt: skip
    assert outcomes(tmp_path) == {"mocked 1": "passed", "mocked 2": "passed", "real": "passed"}


def test_a_process_worker_can_be_mocked(tmp_path: Path) -> None:
    check_app(
        tmp_path,
        """
        mock.worker("tool", function(ctx, input) return "made of " .. input end)
        assert.equal("made of it", swarm.call("tool", "it"))
        """,
        'swarm.worker "tool" { command = { "no-such-program", "{prompt}" } }',
    )


def test_a_mocked_port_answers_in_the_host_s_place(tmp_path: Path) -> None:
    check_app(
        tmp_path,
        """
        local asked = {}
        mock.port("http", function(request, body)
          asked[#asked + 1] = request.method .. " " .. request.url
          swarm.sleep(3)
          return { status = 200, headers = { ["X-A"] = "b" } }, "the page"
        end)
        assert.equal("the page", app:call("page", "http://nowhere.invalid/"))
        assert.equal(3, swarm.monotonic())
        assert.same({ "GET http://nowhere.invalid/" }, asked)
        assert.equal("b", swarm.http.request({ url = "http://x/" }).headers["x-a"])
        mock.port("files", function(payload) return nil, "content of " .. payload.path end)
        assert.equal("content of gone.txt", swarm.fs.read "gone.txt")
        assert.equal(9, swarm.script("app.lua"):call("double", 4))  -- code is loaded as ever
        """,
    )


def test_what_a_mocked_port_raises_is_the_port_s_error(tmp_path: Path) -> None:
    check_app(
        tmp_path,
        """
        local function page() return app:call("page", "http://x/") end
        mock.port("http", function() error { code = "http_error", message = "down", url = "u" } end)
        assert.has_error(page, { code = "http_error", url = "u", message = "down" })
        mock.port("http", function() error "broken" end)
        assert.equal("host_error", assert.has_error(page, "broken").code)
        mock.port("http", function() return { status = print } end)
        assert.has_error(page, "answer.status")
        mock.port("http", function() return {}, 5 end)
        assert.has_error(page, "must return its data as a string")
        """,
    )


def test_a_worker_that_waits_in_a_mock_can_be_cancelled(tmp_path: Path) -> None:
    check_app(
        tmp_path,
        """
        mock.port("http", function() swarm.sleep(1000) return {}, "" end)
        local h = app:spawn("page", "http://x/")
        swarm.sleep(1)
        assert.is_true(h:cancel("enough", { wait = true }))
        assert.equal(1, swarm.monotonic())
        """,
    )


# Reports for programs -----------------------------------------------------------------------------


def test_junit(tmp_path: Path) -> None:
    script(tmp_path, SUMS, "a_spec.lua")
    script(tmp_path, one_spec("print('\\0 \\255 <&>') error('x\\27y')"), "b_spec.lua")
    script(tmp_path, "x x", "c_spec.lua")
    status, out, _ = in_folder(tmp_path, "--junit", "out/report.xml", "--seed", "5")
    assert status == 2
    assert "DOES NOT LOAD" in out  # beside the report for people
    suites = Xml.parse(tmp_path / "out" / "report.xml").getroot()
    assert {key: suites.get(key) for key in ("tests", "failures", "errors", "skipped")} == {
        "tests": "7",
        "failures": "2",
        "errors": "1",
        "skipped": "1",
    }
    cases = {(case.get("classname"), case.get("name")): case for case in suites.iter("testcase")}
    failed = cases["a_spec.lua", "add > adds #slow numbers"]
    assert (failed.get("file"), failed.get("line")) == ("a_spec.lua", "10")
    failure = failed.find("failure")
    assert failure is not None
    assert failure.get("message") == "a_spec.lua:11: expected 5"
    assert failure.text is not None
    assert failure.text.startswith("a_spec.lua:11: expected 5\nbut got 4")
    assert cases["a_spec.lua", "add > of strings > is not there yet"].find("skipped") is not None
    assert cases["c_spec.lua", "loads"].find("error") is not None
    printed = cases["b_spec.lua", "does it"].findtext("system-out")
    assert printed is not None
    assert "<&>" in printed


def test_a_junit_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    script(tmp_path, one_spec(""), "a_spec.lua")
    (tmp_path / "file").touch()
    status, _, err = in_folder(tmp_path, "--junit", "file/x.xml")
    assert status == 2
    assert err.startswith("error: ")


def test_tap(tmp_path: Path) -> None:
    script(tmp_path, SUMS, "a_spec.lua")
    script(tmp_path, "x x", "b_spec.lua")
    status, out, err = in_folder(tmp_path, "--tap", "--seed", "5")
    assert (status, err) == (2, "")
    lines = out.splitlines()
    assert lines[:4] == ["TAP version 14", "1..6", "# seed 5", "not ok 1 - b_spec.lua loads"]
    points = [line for line in lines if re.match(r"(not )?ok ", line)]
    assert points[1:] == [
        "ok 2 - a_spec.lua: add > adds",
        "not ok 3 - a_spec.lua: add > adds \\#slow numbers",
        "ok 4 - a_spec.lua: add > of strings > is not there yet # SKIP pending",
        "ok 5 - a_spec.lua: add > of strings > adds numerals",
        "ok 6 - a_spec.lua: stands alone",
    ]
    details = lines[lines.index(points[2]) + 1 :]
    assert details[0] == "  ---"
    assert details[1].startswith('  message: "a_spec.lua:11: expected 5\\nbut got 4')
    assert details[2:4] == ['  at: "a_spec.lua:10"', "  ..."]


def test_tap_keeps_its_plan_with_fail_fast(tmp_path: Path) -> None:
    script(tmp_path, SUMS, "a_spec.lua")
    out = in_folder(tmp_path, "--tap", "--fail-fast")[1]
    assert "1..5" in out
    assert "ok 5 - a_spec.lua: stands alone # SKIP not run" in out


def test_json_is_one_object_a_line(tmp_path: Path) -> None:
    script(tmp_path, SUMS, "a_spec.lua")
    script(tmp_path, "x x", "b_spec.lua")
    lines = json_lines(tmp_path, "--seed", "5")
    assert [line["type"] for line in lines] == ["begin", "broken", *["spec"] * 5, "end"]
    assert lines[0] == {"type": "begin", "specs": 5, "seed": 5}
    assert lines[1]["file"] == "b_spec.lua"
    assert lines[2]["said"] == "hidden\n"
    assert {key: lines[3][key] for key in ("file", "line", "name", "status")} == {
        "file": "a_spec.lua",
        "line": 10,
        "name": "add > adds #slow numbers",
        "status": "failed",
    }
    assert lines[3]["error"]["code"] == "assertion_failed"
    assert lines[3]["error"]["where"] == "a_spec.lua:11"
    end = lines[-1]
    assert (end["passed"], end["failed"], end["pending"], end["broken"]) == (3, 1, 1, 1)


# Watching -----------------------------------------------------------------------------------------


class Watched:
    """A run with --watch, read up to a text at a time, each time with a deadline."""

    def __init__(self, process: Popen[bytes]) -> None:
        self._process = process

    def until(self, text: str, seconds: float = 20) -> str:
        assert self._process.stdout is not None
        out = b""
        deadline = time.monotonic() + seconds
        while text.encode() not in out:
            left = deadline - time.monotonic()
            assert left > 0, f"{text!r} did not come:\n{out.decode()}"
            if select.select([self._process.stdout], [], [], left)[0]:
                read = os.read(self._process.stdout.fileno(), 65536)
                assert read, f"it ended before {text!r}:\n{out.decode()}"
                out += read
        return out.decode()


def test_the_order_of_a_race_reads_as_it_went(tmp_path: Path) -> None:
    body = """
    explore(function()
      local n = 0
      local function add() local before = n swarm.yield() n = before + 1 end
      swarm.all { add, add }
      assert.equal(2, n)
    end)
    """
    out = said(tmp_path, body)
    assert "it waited for the workers of swarm.all\n" in out


def test_watch_runs_again_when_a_spec_script_or_module_changes(tmp_path: Path) -> None:
    (tmp_path / "specs").mkdir()
    script(tmp_path, "swarm.main(function() return require 'value' end)", "app.lua")
    script(tmp_path, "return 1", "value.lua")
    text = 'local app = swarm.script "../app.lua"\n' + one_spec("assert.equal(1, app:run())")
    spec = script(tmp_path / "specs", text, "a_spec.lua")
    with popen("test", "--watch", tmp_path / "specs") as process:
        watched = Watched(process)
        assert "1 passed in" in watched.until("Ctrl-C ends\n")
        script(tmp_path, "return 2", "value.lua")  # a module, outside the folder that was named
        out = watched.until("Ctrl-C ends\n")
        assert "value.lua\n" in out
        assert "0 passed, 1 failed" in out
        spec.write_text(text.replace("equal(1", "equal(2"))
        out = watched.until("Ctrl-C ends\n")
        assert "a_spec.lua\n" in out
        assert "1 passed in" in out
        spec.write_text("x x")
        assert "DOES NOT LOAD" in watched.until("Ctrl-C ends\n")
        spec.write_text(one_spec(""))
        assert "1 passed in" in watched.until("Ctrl-C ends\n")
        script(tmp_path / "specs", one_spec(""), "b_spec.lua")  # a new one
        assert "2 passed in" in watched.until("Ctrl-C ends\n")
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 130
        assert process.stderr is not None
        assert process.stderr.read() == b""


def test_a_save_runs_the_specs_once(tmp_path: Path) -> None:
    path = script(tmp_path, one_spec(""), "a_spec.lua")
    with popen("test", "--watch", tmp_path, stderr=-2) as process:
        watched = Watched(process)
        out = watched.until("Ctrl-C ends\n")
        for number in range(10):
            # Elsewhere and renamed: a save that is whole at once.
            script(tmp_path, one_spec("") + f"-- {number}", "new").rename(path)
            out += watched.until("Ctrl-C ends\n")
        script(tmp_path, "it('is the last', function() error 'x' end)", "new").rename(path)
        out += watched.until("1 failed")
    assert out.count("changed: ") == 11


def test_watch_runs_what_failed_first(tmp_path: Path) -> None:
    path = script(tmp_path, "it('good', function() end)\nit('bad', function() error('x') end)")
    with popen("test", "--watch", "--json", path, stderr=-2) as process:
        watched = Watched(process)
        assert watched.until("Ctrl-C ends\n").index('"good"') > 0
        path.write_text(path.read_text() + "\n")
        out = watched.until("Ctrl-C ends\n")
        assert out.index('"bad"') < out.index('"good"')
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 143


def test_watch_finds_a_module_that_was_missing(tmp_path: Path) -> None:
    script(tmp_path, "require 'late'\n" + one_spec(""), "a_spec.lua")
    with popen("test", "--watch", tmp_path, stderr=-2) as process:
        watched = Watched(process)
        assert "DOES NOT LOAD" in watched.until("Ctrl-C ends\n")
        (tmp_path / "unrelated.lua").write_text("x x")  # nobody loads it: no run
        script(tmp_path, "return 1", "late.lua")
        out = watched.until("Ctrl-C ends\n")
        assert "changed: " in out
        assert "unrelated" not in out
        assert "1 passed in" in out


def test_watch_goes_on_after_a_spec_that_holds_lua(tmp_path: Path) -> None:
    path = script(tmp_path, one_spec("while true do end"), "a_spec.lua")
    with popen("test", "--watch", "--timeout", "0.2", path, stderr=-2) as process:
        watched = Watched(process)
        assert "0 passed, 1 failed" in watched.until("Ctrl-C ends\n")
        path.write_text(one_spec(""))
        assert "1 passed in" in watched.until("Ctrl-C ends\n")
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 130


def test_watch_goes_on_where_there_is_nothing_to_run(tmp_path: Path) -> None:
    path = script(tmp_path, "", "a_spec.lua")
    with popen("test", "--watch", path, stderr=-2) as process:
        watched = Watched(process)
        assert "error: no specs found" in watched.until("Ctrl-C ends\n")
        path.write_text(one_spec(""))
        assert "1 passed in" in watched.until("Ctrl-C ends\n")
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 130
