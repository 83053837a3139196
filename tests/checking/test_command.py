"""``swarm-host check`` from the command line: its forms, its exit status, and the extra."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from swarm_host.checking import tree
from tests.support.command_line import run, script

CLEAN = "swarm.main(function() end)"
WARNED = "swarm.worker 'a' { run = function() end }\n" + CLEAN
WRONG = "swarm.main(function()\n  return 'a%b', totl\nend)"


@pytest.mark.parametrize(
    ("text", "words", "status"),
    [
        (CLEAN, [], 0),
        (CLEAN, ["--strict"], 0),
        (WARNED, [], 0),
        (WARNED, ["--strict"], 1),
        (WRONG, [], 1),
        ("x y", [], 1),
        ("error('no')", [], 1),
        ("swarm.worker 'a' { run = 1 }", [], 1),
        (CLEAN, ["--format", "xml"], 2),
    ],
)
def test_the_exit_status_is_that_of_a_linter(
    text: str, words: list[str], status: int, tmp_path: Path
) -> None:
    assert run("check", *words, script(tmp_path, text)).returncode == status


def test_a_script_that_cannot_be_read_is_a_usage_error(tmp_path: Path) -> None:
    for path in ("none.lua", "."):
        done = run("check", path, cwd=tmp_path)
        assert (done.returncode, done.stdout) == (2, b"")
        assert done.stderr.startswith(b"error: cannot read script")


def test_text_is_a_line_for_each_and_what_is_meant(tmp_path: Path) -> None:
    done = run("check", script(tmp_path, WRONG).name, cwd=tmp_path)
    assert done.stdout.decode() == (
        "script.lua:2:17: error: global totl is not defined [undefined-global]\n"
        "  2 |   return 'a%b', totl\n"
        "    |                 ^~~~\n"
        "script.lua: 1 error\n"
    )
    assert done.stderr == b""


def test_warnings_do_not_hide_what_is_defined(tmp_path: Path) -> None:
    lines = run("check", script(tmp_path, WARNED).name, cwd=tmp_path).stdout.decode().splitlines()
    assert lines[-3:] == [
        "script.lua: 1 warning",
        "  worker a (lua) at script.lua:1",
        "  main at script.lua:2",
    ]


def test_json_has_findings_and_definitions(tmp_path: Path) -> None:
    for words in (["--json"], ["--format", "json"]):
        done = run("check", *words, script(tmp_path, WRONG).name, cwd=tmp_path)
        assert json.loads(done.stdout) == {
            "main": "script.lua:1",
            "workers": {},
            "findings": [
                {
                    "path": "script.lua",
                    "line": 2,
                    "column": 17,
                    "length": 4,
                    "severity": "error",
                    "id": "undefined-global",
                    "message": "global totl is not defined",
                }
            ],
        }


def test_what_a_script_prints_as_it_loads_is_not_in_the_json(tmp_path: Path) -> None:
    done = run("check", "--json", script(tmp_path, "print 'loading'\n" + CLEAN))
    assert json.loads(done.stdout)["findings"] == []
    assert b"loading" in done.stderr


def test_sarif_has_what_code_scanning_asks_for(tmp_path: Path) -> None:
    path = script(tmp_path, WRONG, "with space.lua")
    log = json.loads(run("check", "--format", "sarif", path.name, cwd=tmp_path).stdout)
    (one,) = log["runs"]
    assert log["version"] == "2.1.0"
    assert one["tool"]["driver"]["rules"] == [{"id": "undefined-global"}]
    (result,) = one["results"]
    assert (result["ruleId"], result["level"]) == ("undefined-global", "error")
    location = result["locations"][0]["physicalLocation"]
    assert location["artifactLocation"]["uri"] == "with%20space.lua"
    assert location["region"] == {"startLine": 2, "startColumn": 17, "endColumn": 21}


def test_github_has_a_command_for_each(tmp_path: Path) -> None:
    done = run(
        "check", "--format", "github", script(tmp_path, WRONG, "a,b:c.lua").name, cwd=tmp_path
    )
    place = "file=a%2Cb%3Ac.lua,line=2,col=17,endColumn=21,title=undefined-global"
    assert done.stdout.decode() == f"::error {place}::global totl is not defined\n"
    assert run("check", "--format", "github", script(tmp_path, CLEAN)).stdout == b""


def test_a_spec_file_has_the_words_of_specs(tmp_path: Path) -> None:
    text = "describe('a', function() it('b', function() clock.advance(1) end) end)"
    assert run("check", script(tmp_path, text, "a_spec.lua")).returncode == 0
    assert run("check", script(tmp_path, text, "a.lua")).returncode == 1


def test_a_trusted_script_has_all_of_lua(tmp_path: Path) -> None:
    path = script(tmp_path, "swarm.main(function() return loadfile, newproxy, dofile end)")
    assert run("check", "--trust", path).returncode == 0


def test_without_the_extra_it_loads_and_says_so_once(tmp_path: Path) -> None:
    blocked = tmp_path / "blocked"
    blocked.mkdir()
    (blocked / "tree_sitter_lua.py").write_text("raise ImportError('not installed')\n")
    path = script(tmp_path, WARNED + "\nswarm.worker 'b' { run = 1 }")
    words = [sys.executable, "-c", _MAIN.format(str(blocked)), "check", str(path)]
    done = subprocess.run(words, capture_output=True, timeout=60, text=True)
    assert done.stdout.count("[definition]") == 1
    assert "[unused-worker]" not in done.stdout
    assert done.stderr.count("swarm-host[check]") == 1
    assert done.returncode == 1


_MAIN = "import sys; sys.path.insert(0, {!r}); from swarm_host.cli import main; main()"


def test_the_extra_is_there_for_these_tests() -> None:
    assert tree.is_there()
