"""What ``swarm-host test`` reports, to people and to programs."""

from __future__ import annotations

import os
import pty
import re
from pathlib import Path
from subprocess import Popen
from xml.etree import ElementTree as Xml

from tests.support.command_line import popen, run, script
from tests.support.specs import SUMS, in_folder, json_lines, one_spec
from tests.support.terminal import rest_of

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
        ):
            os.close(follower)
            drawn = rest_of(leader)
    finally:
        os.close(leader)
    assert b"\x1b[31m1 failed\x1b[0m" in drawn


def popen_words(*words: str) -> list[str]:
    from tests.support.command_line import SWARM_HOST

    return [*SWARM_HOST, *words]


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
