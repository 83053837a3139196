"""What a run is given from outside: a script and an input that are no files, that come late, or
that are more than can be taken; and where its events go."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.support.command_line import MAIN, SWARM_HOST, run, script

ECHO = MAIN.format("return ctx.input")


@pytest.mark.parametrize("words", [["fifo"], ["check", "fifo"]])
def test_a_script_that_is_a_pipe_by_its_name_is_refused(tmp_path: Path, words: list[str]) -> None:
    os.mkfifo(tmp_path / "fifo")
    done = run(*words, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr == b"error: cannot read script fifo: it is a pipe, not a file\n"


@pytest.mark.parametrize(("path", "kind"), [("fifo", "a pipe"), ("/dev/zero", "a device")])
def test_an_input_that_is_no_file_is_refused(tmp_path: Path, path: str, kind: str) -> None:
    os.mkfifo(tmp_path / "fifo")
    done = run("--input", f"@{path}", script(tmp_path, ECHO), cwd=tmp_path)
    assert done.returncode == 2
    said = f"error: --input @{path}: cannot read it: it is {kind}, not a file\n"
    assert done.stderr == said.encode()


def test_what_the_shell_hands_over_is_read(tmp_path: Path) -> None:
    path = script(tmp_path, ECHO)
    assert run("--input", "@/dev/stdin", path, stdin=b"5").stdout == b"5\n"
    assert run("/dev/stdin", stdin=path.read_bytes()).returncode == 0


def test_events_for_a_pipe_that_nobody_reads_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    done = run("--events", "fifo", script(tmp_path, ECHO), cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr == b"error: --events fifo: nobody reads it; begin to read it first\n"
    reader = os.open(tmp_path / "fifo", os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert run("--events", "fifo", "script.lua", cwd=tmp_path).returncode == 0
        assert os.read(reader, 65536).count(b"\n") >= 3
    finally:
        os.close(reader)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--input", "-", "script.lua"], b"--input - (standard input) did not come to its end"),
        (["/dev/stdin"], b"/dev/stdin was not loaded in time"),
    ],
)
def test_who_says_nothing_does_not_outlast_the_timeout(
    tmp_path: Path, words: list[str], said: bytes
) -> None:
    script(tmp_path, ECHO)
    ours, theirs = os.pipe()
    try:
        command = [*SWARM_HOST, "--timeout", "0.5", *words]
        done = subprocess.run(command, cwd=tmp_path, stdin=ours, capture_output=True, timeout=30)
    finally:
        os.close(theirs)
        os.close(ours)
    assert done.returncode == 124
    assert done.stderr.startswith(b"error: --timeout 0.5: " + said)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1e999", "the number 1e999 is too large"),
        ("-1e999", "the number -1e999 is too large"),
        ("9" * 5000, "the number 99999999999999999... is too large"),
        ("[" * 100000, "it is nested more than 100 levels deep, which is the most"),
    ],
)
def test_json_that_says_too_much_is_refused_in_our_own_words(
    tmp_path: Path, text: str, said: str
) -> None:
    (tmp_path / "input.json").write_text(text)
    done = run("--input", "@input.json", script(tmp_path, ECHO), cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.decode() == f"error: --input @input.json: {said}\n"


def test_an_input_that_cannot_cross_is_no_fault_of_the_host(tmp_path: Path) -> None:
    (tmp_path / "input.json").write_text("[" * 150 + "]" * 150)
    done = run("--input", "@input.json", script(tmp_path, ECHO), cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith(b"error: input[1][1]")


def test_an_input_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    done = run("--input", "@nofile", script(tmp_path, ECHO))
    assert done.returncode == 2
    assert done.stderr == b"error: --input @nofile: cannot read it: no such file or directory\n"


def test_more_than_the_most_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "big").open("wb") as file:
        file.truncate(256 * 1024 * 1024 + 1)
    done = run("--input", "@big", script(tmp_path, ECHO), cwd=tmp_path)
    assert done.returncode == 2
    assert b"it has more than 256 MiB, which is the most that is read" in done.stderr
