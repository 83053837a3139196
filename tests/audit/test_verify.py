"""``swarm-host audit verify``: whatever is done to an audit is found, and where."""

from __future__ import annotations

import json
import os
import resource
import subprocess
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from swarm_host.audit.chain import START, Head, chained
from tests.audit.trails import broken, head, verified
from tests.support.command_line import SWARM_HOST, run, script

SCRIPT = """
swarm.worker "w" { run = function(_, n) return n end }
swarm.main(function() swarm.map("w", { 1, 2, 3 }) end)
"""


@pytest.fixture
def trail(tmp_path: Path) -> Path:
    """The audit of a short run: 11 lines."""
    path = tmp_path / "trail"
    done = run("--audit", path, script(tmp_path, SCRIPT))
    assert done.returncode == 0, done
    return path


def test_a_sound_one_is_told_with_its_head(trail: Path) -> None:
    last = json.loads(trail.read_bytes().splitlines()[-1])
    lines = len(trail.read_bytes().splitlines())
    assert lines == 11
    assert verified(trail) == {"lines": lines, "head": last["hash"], "runs": 1, "open": None}
    done = run("audit", "verify", trail)
    assert done.stdout.decode() == (
        f"{trail}: 11 lines of 1 run, each as it was written\nhead {last['hash']}\n"
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_line_is_the_hash_of_its_own_bytes_and_names_the_one_before(trail: Path) -> None:
    """As spec/host/audit.md has it, for who verifies without us."""
    prev = START
    for number, line in enumerate(trail.read_bytes().splitlines(), 1):
        row = json.loads(line)
        assert (row["n"], row["prev"]) == (number, prev)
        bare = line.replace(b',"hash":"%s"}' % row["hash"].encode(), b"}")
        prev = sha256(bare).hexdigest()
        assert row["hash"] == prev


def _swap(lines: list[bytes]) -> None:
    lines[4], lines[5] = lines[5], lines[4]


def _insert(lines: list[bytes]) -> None:
    lines.insert(4, lines[2])


def _rechained(lines: list[bytes]) -> None:
    """A line that is changed together with its own hash."""
    row = json.loads(lines[4])
    at = Head(4, row["prev"])
    text = lines[4].replace(b'"role":"worker"', b'"role":"observer"')
    assert text != lines[4]
    bare = text.partition(b'"prev":"%s",' % row["prev"].encode())[2].rpartition(b',"hash":')[0]
    lines[4] = chained([b"{" + bare + b"}"], at)[0]


WAYS: dict[str, tuple[Callable[[list[bytes]], object], str]] = {
    "changed": (
        lambda lines: lines.__setitem__(
            4, lines[4].replace(b'"role":"worker"', b'"role":"Worker"')
        ),
        "line 5: it was changed: its hash is not that of what it says",
    ),
    "changed with its hash": (
        _rechained,
        "line 6: it does not follow the line before it: that is not what it was",
    ),
    "removed": (
        lambda lines: lines.pop(4),
        "line 5: it says that it is line 6: lines before it were removed, or moved behind it",
    ),
    "the first removed": (
        lambda lines: lines.pop(0),
        "line 1: it says that it is line 2: lines before it were removed, or moved behind it",
    ),
    "inserted": (
        _insert,
        "line 5: it says that it is line 3: lines before it were inserted, or it was moved",
    ),
    "reordered": (
        _swap,
        "line 5: it says that it is line 6: lines before it were removed, or moved behind it",
    ),
    "torn": (
        lambda lines: lines.append(lines.pop()[:-30]),
        "line 11: it is torn: who wrote it was killed meanwhile, or the end of the file was cut "
        "off",
    ),
    "no line": (
        lambda lines: lines.insert(4, b"{}\n"),
        "line 5: it is no line of an audit: there is no hash at its end",
    ),
    "blank": (
        lambda lines: lines.insert(4, b"\n"),
        "line 5: it is no line of an audit: there is no hash at its end",
    ),
    "emptied": (lambda lines: lines.clear(), "line 1: it is not there: the file is empty"),
}


@pytest.mark.parametrize("way", WAYS)
def test_what_was_done_to_it_is_told_with_the_line(trail: Path, way: str) -> None:
    lines = trail.read_bytes().splitlines(keepends=True)
    do, said = WAYS[way]
    do(lines)
    trail.write_bytes(b"".join(lines))
    assert broken(trail) == said
    done = run("audit", "verify", "--json", trail)
    found = json.loads(done.stdout)
    assert done.returncode == 1
    assert found == {"ok": False, "line": int(said.split()[1][:-1]), "why": said.partition(": ")[2]}


@pytest.mark.parametrize("byte", range(0, 2000, 97))
def test_any_byte_that_changes_is_found(trail: Path, byte: int) -> None:
    text = bytearray(trail.read_bytes())
    text[byte] ^= 1
    trail.write_bytes(text)
    assert broken(trail).startswith("line ")


def test_a_head_that_was_kept_shows_that_the_end_was_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "trail"
    kept = head(run("--audit", path, script(tmp_path, SCRIPT)).stderr)
    assert verified(path, "--head", kept)["head"] == kept
    assert verified(path, "--head", kept.upper())["head"] == kept
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-1]))
    assert verified(path)["open"], "without the head nobody can know, but that there is no end"
    assert (
        b"has no end in it: it goes on, was killed, or the end"
        in run("audit", "verify", path).stdout
    )
    last = json.loads(lines[-2])["hash"]
    assert broken(path, "--head", kept) == (
        f"line 10: the last line's hash is {last}, not {kept}: the end was cut off, or written anew"
    )


def test_lines_after_the_head_that_was_kept_are_told(trail: Path) -> None:
    kept = verified(trail)["head"]
    run("--audit", trail, trail.with_name("script.lua"))
    assert broken(trail, "--head", kept) == (
        f"line 22: {kept} is the hash of line 11: 11 more came after it, or were put there"
    )


def test_a_head_that_is_none_and_a_file_that_cannot_be_read_are_told(trail: Path) -> None:
    done = run("audit", "verify", trail, "--head", "abc")
    assert (done.returncode, done.stdout) == (2, b"")
    assert (
        b"--head 'abc' is no hash: it is 64 hexadecimal digits, as a run says them" in done.stderr
    )
    for path, why in ((trail.parent, b"is a directory"), (trail.parent / "no", b"no such file")):
        done = run("audit", "verify", path)
        assert done.returncode == 2
        assert why in done.stderr


def test_what_is_no_regular_file_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", "/dev/zero"):
        for words in ((), ("--json",)):
            done = run("audit", "verify", path, *words)
            assert (done.returncode, done.stdout) == (2, b"")
            assert f"{path}: it is no regular file; write what comes out".encode() in done.stderr


@pytest.mark.parametrize(
    "text",
    [
        b"\0" * 5000 + b"\n",
        b"[" * 100000 + b"\n",
        b'{"n":1,"hash":"' + b"0" * 64 + b'"}\n',
        b"\xff\n",
    ],
)
def test_what_is_no_audit_is_told(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "trail"
    path.write_bytes(text)
    assert broken(path).startswith("line 1: it ")


def test_a_line_that_is_deep_json_with_a_sound_hash_is_none(tmp_path: Path) -> None:
    path = tmp_path / "trail"
    deep = b'{"x":' + b"[" * 100000 + b"]" * 100000 + b"}"
    path.write_bytes(chained([deep], Head())[0])
    assert broken(path) == "line 1: it is no line of an audit: n and prev are missing"


def test_a_million_lines_take_the_memory_of_one(tmp_path: Path) -> None:
    path = tmp_path / "trail"
    row, at = b'{"at":1764493200.5,"task_id":"T-1234567","type":"task_pass"}', Head()
    with path.open("wb") as file:
        for _ in range(100):
            lines, at = chained([row] * 10_000, at)
            file.write(lines)
    assert path.stat().st_size > 200_000_000
    limit = 150 << 20

    def bounded() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))

    done = subprocess.run(
        [*SWARM_HOST, "audit", "verify", "--json", str(path)],
        capture_output=True,
        preexec_fn=bounded,
        timeout=120,
        check=False,
    )
    assert json.loads(done.stdout)["lines"] == 1_000_000, done
