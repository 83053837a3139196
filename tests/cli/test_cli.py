"""The command line: output, exit statuses, bad input, a terminal."""

from __future__ import annotations

import json
import os
import pty
import re
import time
from pathlib import Path

import pytest

from tests.support.command_line import MAIN, popen, run, script, untimed
from tests.support.terminal import rest_of


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("return 'as it is'", b"as it is\n"),
        ("return 'with its newline\\n'", b"with its newline\n"),
        ("return { b = 1, a = { true, swarm.null } }", b'{"a":[true,null],"b":1}\n'),
        ("return 2^53", b"9007199254740992\n"),
        ("return 0.1", b"0.1\n"),
        ("return false", b"false\n"),
        ("return", b""),
        ("return '\\255\\0bytes'", b"\xff\x00bytes\n"),
        ("print('first') return 'then'", b"first\nthen\n"),
    ],
)
def test_what_main_returns_goes_to_stdout(tmp_path: Path, body: str, said: bytes) -> None:
    done = run(script(tmp_path, MAIN.format(body)))
    assert (done.returncode, done.stdout, done.stderr) == (0, said, b"")


def test_json_leaves_stdout_to_the_result(tmp_path: Path) -> None:
    path = script(tmp_path, MAIN.format("print('noise') return 'text'"))
    done = run("--json", path)
    assert done.stdout == b'"text"\n'
    assert done.stderr == b"noise\n"
    assert run("--json", script(tmp_path, MAIN.format("return"))).stdout == b"null\n"


def test_input_comes_from_the_word_a_file_or_stdin(tmp_path: Path) -> None:
    path = script(tmp_path, MAIN.format("return ctx.input.x"))
    file = tmp_path / "input.json"
    file.write_text('{"x": "from a file"}')
    assert run("--input", '{"x": "a word"}', path).stdout == b"a word\n"
    assert run("--input", f"@{file}", path).stdout == b"from a file\n"
    assert run("--input", "-", path, stdin=b'{"x": "stdin"}').stdout == b"stdin\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", b"not JSON"),
        ("", b"not JSON"),
        ("NaN", b"NaN is not JSON"),
        ("[1,]", b"not JSON"),
    ],
)
def test_input_that_is_not_json_is_refused(tmp_path: Path, text: str, said: bytes) -> None:
    done = run("--input", "-", script(tmp_path, MAIN.format("return 1")), stdin=text.encode())
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stdout == b""


def test_input_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    done = run("--input", "-", script(tmp_path, MAIN.format("return 1")), stdin=b'"\xff"')
    assert done.returncode == 2
    assert b"not UTF-8: byte 2 is 0xff" in done.stderr


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("return 1", 0),
        ("error('no')", 1),
        ("return nil, 'blocked'", 3),
        ("return function() end", 1),
        ("swarm.spawn(function() error('x') end, nil, { detached = true })", 1),
    ],
)
def test_the_exit_status_says_how_it_ended(tmp_path: Path, body: str, status: int) -> None:
    assert run(script(tmp_path, MAIN.format(body))).returncode == status


def test_a_detached_worker_is_waited_for(tmp_path: Path) -> None:
    body = """
      swarm.spawn(function() swarm.sleep(0.1) print("the end") end, nil, { detached = true })
      return "main is over"
    """
    done = run(script(tmp_path, MAIN.format(body)))
    assert done.stdout == b"the end\nmain is over\n"


def test_what_is_detached_is_cancelled_at_once_where_main_failed(tmp_path: Path) -> None:
    body = """
      local waits
      function waits(_, in_turn)
        local _, err = pcall(swarm.sleep, 1000)
        print(err.reason)
        swarm.shield(function()
          if in_turn then swarm.spawn(waits, false, { detached = true }) end
          swarm.sleep(0)
        end)
      end
      swarm.spawn(waits, true, { detached = true })
      swarm.sleep(0)
      error("no")
    """
    done = run(script(tmp_path, MAIN.format(body)))
    assert done.returncode == 1
    assert done.stdout == b"the run is over: main failed\n" * 2


def test_the_run_has_a_deadline(tmp_path: Path) -> None:
    done = run("--timeout", "2", script(tmp_path, MAIN.format("swarm.sleep(600)")))
    assert done.returncode == 124
    assert b"ran out of time after 2 s" in done.stderr


def test_a_deadlock_is_found_beside_the_run_s_own_deadline(tmp_path: Path) -> None:
    body = "ctx.cancel_token:wait()"
    done = run("--timeout", "30", script(tmp_path, MAIN.format(body)))
    assert done.returncode == 1
    assert b"deadlock" in done.stderr


def test_events_are_json_lines(tmp_path: Path) -> None:
    path = script(tmp_path, MAIN.format("ctx:progress('a \\255') error('no')"))
    file = tmp_path / "events.jsonl"
    assert run("--events", file, path).returncode == 1
    events = [json.loads(line) for line in file.read_text().splitlines()]
    assert [event["type"] for event in events] == [
        "task_created",
        "task_attempt_started",
        "worker_output",
        "task_attempt_completed",
        "task_failed",
    ]
    assert all(event["task_id"] == "T-1" and event["name"] == "main" for event in events)
    assert "no" in events[-1]["reason"]


def test_an_events_file_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    done = run("--events", tmp_path, script(tmp_path, MAIN.format("return 1")))
    assert done.returncode == 2
    assert b"is a directory" in done.stderr


def test_the_timeout_bounds_what_main_has_detached_too(tmp_path: Path) -> None:
    body = """
    swarm.spawn(function() swarm.sleep(60) end, nil, { detached = true })
    swarm.spawn(function()
      local function again()
        pcall(swarm.sleep, 60)
        swarm.shield(function() swarm.spawn(again, nil, { detached = true }) end)
      end
      again()
    end, nil, { detached = true })
    return "done"
    """
    started = time.monotonic()
    done = run("--timeout", "1", script(tmp_path, MAIN.format(body)))
    assert time.monotonic() - started < 20
    assert done.returncode == 124
    message = "the run ran out of time after 1 s, with workers alive that main has detached"
    assert f"error: {message}\n".encode() in done.stderr


def test_logs_have_levels_and_fields(tmp_path: Path) -> None:
    body = """
      swarm.log.debug("quiet as a mouse")
      swarm.log.info("hello", { n = 1, text = "two words" })
      swarm.log.error("alas")
      io.stderr:write("as it is")
    """
    path = script(tmp_path, MAIN.format(body))
    assert untimed(run(path).stderr) == (
        b'- info: [main T-1] hello n=1 text="two words"\n- error: [main T-1] alas\nas it is'
    )
    assert b"debug: [main T-1] quiet as a mouse\n" in run("--debug", path).stderr
    assert untimed(run("--quiet", path).stderr) == b"- error: [main T-1] alas\nas it is"


def test_fields_of_logs_are_spelt_as_in_json(tmp_path: Path) -> None:
    body = """
      swarm.log.info("said", { list = { true, swarm.null, 1.5 }, yes = true, none = swarm.null,
        text = "bare", number = "12", quotes = 'say "no"', lines = "a\\nb", empty = "" })
    """
    said = run(script(tmp_path, MAIN.format(body))).stderr.decode()
    assert said.endswith(
        'said empty="" lines="a\\nb" list=[true,null,1.5] none=null number="12" '
        'quotes="say \\"no\\"" text=bare yes=true\n'
    )


def test_no_line_of_a_message_looks_like_one_of_the_host_s(tmp_path: Path) -> None:
    body = 'swarm.log.info "x\\nerror: forged" error("y\\nerror: forged too")'
    said = run(script(tmp_path, MAIN.format(body))).stderr.decode()
    assert "[main T-1] x\n  error: forged\n" in said
    assert ": y\n  error: forged too\n" in said


def test_a_flood_of_output_arrives_whole(tmp_path: Path) -> None:
    body = "for i = 1, 300000 do print(i, 'some text that makes the line longer') end return 'end'"
    lines = run(script(tmp_path, MAIN.format(body))).stdout.splitlines()
    assert len(lines) == 300_001
    assert lines[299_999].startswith(b"300000\t")
    assert lines[-1] == b"end"


def test_a_huge_input_and_a_huge_result(tmp_path: Path) -> None:
    value = {"rows": [{"id": i, "name": f"row {i}", "tags": ["a", "b"]} for i in range(50_000)]}
    path = script(tmp_path, MAIN.format("return ctx.input"))
    done = run("--json", "--input", "-", path, stdin=json.dumps(value).encode())
    assert json.loads(done.stdout) == value


def test_a_closed_stdout_ends_the_run(tmp_path: Path) -> None:
    path = script(tmp_path, MAIN.format("while true do print('y') swarm.sleep(0.001) end"))
    with popen(path) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"y\n"
        process.stdout.close()
        assert process.wait(timeout=20) == 1
        assert process.stderr is not None
        assert b"Traceback" not in process.stderr.read()


def test_check_says_what_a_script_defines(tmp_path: Path) -> None:
    path = script(
        tmp_path,
        "swarm.worker 'w' { description = 'does it', run = function() end }\n"
        + MAIN.format("error('not run', swarm.call 'w')"),
    )
    done = run("check", path.name, cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout.decode().splitlines() == [
        "script.lua: ok",
        "  worker w (lua) at script.lua:1  does it",
        "  main at script.lua:2",
    ]
    described = json.loads(run("check", "--json", path.name, cwd=tmp_path).stdout)
    assert described["workers"]["w"]["kind"] == "lua"
    assert described["findings"] == []
    odd = script(tmp_path, "swarm.worker 'a\\27[31m\\nb' { run = print, description = '\\0' }")
    assert b"\n  worker a?[31m?b (lua) at " in run("check", odd).stdout


def test_a_misspelt_command_is_no_script(tmp_path: Path) -> None:
    done = run("chekc", script(tmp_path, MAIN.format("")))
    assert done.returncode == 2
    assert (
        done.stderr
        == b"error: there is no script chekc, and no such command; did you mean check?\n"
    )


def test_an_option_behind_the_script_is_the_script_s_with_a_hint(tmp_path: Path) -> None:
    path = script(tmp_path, MAIN.format("return args[1]"))
    done = run(path, "--json")
    assert done.stdout == b"--json\n"
    assert b"--json comes after SCRIPT" in done.stderr
    assert run(path, "--", "--json").stderr == b""
    assert run(path, "--other").stderr == b""


def test_progress_is_drawn_on_a_terminal_and_taken_away(tmp_path: Path) -> None:
    body = """
      for i = 1, 3 do swarm.spawn(function() swarm.sleep(1.2) end) end
      swarm.sleep(0.9) print("between")
    """
    leader, follower = pty.openpty()
    with popen(script(tmp_path, MAIN.format(body)), stderr=follower) as process:
        os.close(follower)
        drawn = rest_of(leader)
        assert process.wait(timeout=20) == 0
    os.close(leader)
    assert b"4 running" in drawn
    frame, _, after = drawn.rpartition(b"\x1b[J")  # what takes it away
    assert b"running" in frame
    assert re.fullmatch(rb"(\x1b\[\?\d+[hl])*4 passed \xc2\xb7 \d s\r\n", after)


def test_no_progress_is_drawn_elsewhere(tmp_path: Path) -> None:
    done = run(script(tmp_path, MAIN.format("swarm.sleep(1)")))
    assert done.stderr == b""


@pytest.mark.parametrize("seconds", ["nan", "inf", "1e300", "-1"])
@pytest.mark.parametrize("words", [["--timeout"], ["--drain"], ["test", "--timeout"]])
def test_seconds_that_nobody_can_wait_for_are_refused(
    tmp_path: Path, words: list[str], seconds: str
) -> None:
    done = run(*words, seconds, script(tmp_path, "it('x', function() end)"))
    assert done.returncode == 2
    assert f"Invalid value for '{words[-1]}': ".encode() in done.stderr


def test_a_log_cannot_pass_for_another(tmp_path: Path) -> None:
    log = 'swarm.log.info("x\\nerror: forged", { y = "1\\nwarn: too" })'
    said = run(script(tmp_path, MAIN.format(log))).stderr
    assert untimed(said) == b'- info: [main T-1] x\n  error: forged y="1\\nwarn: too"\n'


def test_what_comes_from_elsewhere_does_not_move_the_terminals_cursor(tmp_path: Path) -> None:
    logs = 'swarm.log.info("a\\27[31mb\\rc", { x = "\\27]0;t\\7" })'
    body = logs + 'error("bad \\27[2J\\n\\tthing\\127")'
    said = run(script(tmp_path, MAIN.format(body))).stderr
    assert b"info: [main T-1] a\\x1b[31mb\\x0dc x=\\x1b]0;t\\x07\n" in said
    assert b"bad \\x1b[2J\n" in said
    assert b"\tthing\\x7f\n" in said
    assert not set(said) & (set(range(32)) - set(b"\n\t"))


def test_a_result_that_is_not_utf8_is_no_json(tmp_path: Path) -> None:
    path = script(tmp_path, MAIN.format(r'return "a\255bin"'))
    done = run("--json", path)
    assert done.returncode == 1
    assert done.stdout == b""
    assert done.stderr.decode() == (
        "error: main's result cannot be JSON: the string is not UTF-8: byte 2 is 0xff\n"
    )
    assert run(path).stdout == b"a\xffbin\n"


def test_of_many_failures_all_are_counted(tmp_path: Path) -> None:
    body = "for i = 1, 1500 do swarm.spawn(function() error('bad') end) end"
    done = run("--quiet", script(tmp_path, MAIN.format(body)))
    assert "└─ and 1490 more" in done.stderr.decode()
