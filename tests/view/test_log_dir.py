"""``--log-dir``: files that hold what each attempt said, wherever it is written to."""

from __future__ import annotations

import os
import stat
import subprocess
import time
from pathlib import Path

import pytest

from swarm_host.view.fronts.following import Attempt, Line
from swarm_host.view.fronts.log_dir import LogDir, file_name
from tests.support.command_line import SWARM_HOST, run, script

SAYS = """
swarm.worker "say" { run = function(ctx, text) swarm.log.info(text) end }
swarm.main(function(args)
  for i = 1, tonumber(args[1]) do swarm.call("say", args[2]:rep(args[3] or 1)) end
end)
"""


def line(text: str, name: str = "ask", kind: str = "info", number: int = 1) -> Line:
    return Line(Attempt(7, name, "", number, 0.0), 1.5, kind, text)


def opened(folder: Path, problems: list[str] | None = None) -> LogDir:
    kept = LogDir(str(folder))
    kept.on_problem = (problems if problems is not None else []).append
    return kept


def test_each_attempt_has_a_file_of_its_own(tmp_path: Path) -> None:
    kept = opened(tmp_path / "a" / "b")
    kept.take(line("one"))
    kept.take(line("two", number=2))
    kept.take(line("three"))
    kept.close()
    texts = {path.name: path.read_text()[13:] for path in (tmp_path / "a" / "b").iterdir()}
    assert set(texts) == {"ask-T-7.1.log", "ask-T-7.2.log"}
    assert texts["ask-T-7.2.log"] == "info: two\n"
    first = (tmp_path / "a" / "b" / "ask-T-7.1.log").read_text().splitlines()
    assert [one[13:] for one in first] == ["info: one", "info: three"]
    assert first[0][8:12] == ".500"
    mode = stat.S_IMODE((tmp_path / "a" / "b" / "ask-T-7.1.log").stat().st_mode)
    assert mode == 0o600


def test_who_only_began_and_passed_has_none(tmp_path: Path) -> None:
    kept = opened(tmp_path)
    kept.take(line("began", kind="host"))
    kept.take(line("passed after 1.0 s", kind="host"))
    kept.take(line("began", name="bad", kind="host"))
    kept.take(line("failed after 1.0 s: why", name="bad", kind="host"))
    kept.close()
    assert [path.name for path in tmp_path.iterdir()] == ["bad-T-7.1.log"]
    assert len((tmp_path / "bad-T-7.1.log").read_text().splitlines()) == 2


def test_it_can_be_read_while_the_run_goes_on(tmp_path: Path) -> None:
    kept = opened(tmp_path)
    kept.take(line("one"))
    end = time.monotonic() + 20
    while not (tmp_path / "ask-T-7.1.log").exists() and time.monotonic() < end:
        time.sleep(0.01)
    assert (tmp_path / "ask-T-7.1.log").exists()
    kept.take(line("two"))
    kept.close()
    assert len((tmp_path / "ask-T-7.1.log").read_text().splitlines()) == 2


def test_a_file_of_an_earlier_run_is_written_over(tmp_path: Path) -> None:
    for text in ("long ago " * 100, "now"):
        kept = opened(tmp_path)
        kept.take(line(text))
        kept.close()
    assert (tmp_path / "ask-T-7.1.log").read_text()[13:] == "info: now\n"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("review", "review"),
        ("../../etc/passwd", "_.._etc_passwd"),
        ("a b\nc\0d", "a_b_c_d"),
        ("...", "_"),
        ("", "_"),
        ("漢字", "_"),
        ("x" * 300, "x" * 80),
    ],
)
def test_no_name_leads_out_of_the_folder(name: str, expected: str) -> None:
    assert file_name(name, 3, 2) == f"{expected}-T-3.2.log"


def test_a_link_that_somebody_has_put_there_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("precious")
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "ask-T-7.1.log").symlink_to(tmp_path / "mine")
    problems: list[str] = []
    kept = opened(logs, problems)
    kept.take(line("one"))
    kept.close()
    assert (tmp_path / "mine").read_text() == "precious"
    assert len(problems) == 1
    assert "ask-T-7.1.log" in problems[0]


def test_a_full_disk_is_told_once_and_the_run_goes_on(tmp_path: Path) -> None:
    path = script(tmp_path, SAYS)
    words = ["--quiet", "--no-journal", "--log-dir", str(tmp_path / "logs")]
    words += [str(path), "30", "x", "200000"]
    limited = ["sh", "-c", 'ulimit -f 20; exec "$@"', "sh", *SWARM_HOST, *words]
    done = subprocess.run(limited, capture_output=True, timeout=60)
    assert done.returncode == 0
    assert done.stderr.decode().count("--log-dir") == 1
    assert "say-T-2.1.log" in done.stderr.decode()


def test_a_folder_that_cannot_be_is_refused(tmp_path: Path) -> None:
    path = script(tmp_path, SAYS)
    done = run("--log-dir", path, path, "1", "x")
    assert done.returncode == 2
    assert done.stderr.decode() == f"error: --log-dir {path}: it is a file, not a folder\n"
    if os.getuid() != 0:
        locked = tmp_path / "locked"
        locked.mkdir(mode=0o500)
        done = run("--log-dir", locked / "in", path, "1", "x")
        assert done.returncode == 2


def test_what_goes_to_stdout_is_as_it_was_printed(tmp_path: Path) -> None:
    text = """
    swarm.worker "w" { run = function() print("a\\255\\0b") io.write "no end" end }
    swarm.main(function() print "main" swarm.call "w" end)
    """
    path = script(tmp_path, text)
    logs = tmp_path / "logs"
    done = run("--log-dir", logs, path)
    assert done.stdout == run(path).stdout == b"main\na\xff\0b\nno end"
    assert b"print: a" in (logs / "w-T-2.1.log").read_bytes()


def test_a_pipe_in_the_place_of_a_file_holds_nobody_up(tmp_path: Path) -> None:
    path = script(tmp_path, SAYS)
    logs = tmp_path / "logs"
    logs.mkdir()
    os.mkfifo(logs / "say-T-2.1.log")
    done = run("--quiet", "--log-dir", logs, path, "3", "x")
    assert done.returncode == 0
    assert done.stderr.count(b"--log-dir") == 1


def test_what_a_secret_is_is_masked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_TOKEN", "hush-hush-hush")
    text = """
    swarm.worker "tell" {
      env = { TOKEN = swarm.secret "MY_TOKEN" },
      shell = "echo $TOKEN; echo $TOKEN >&2",
    }
    swarm.main(function() swarm.call "tell" end)
    """
    path = script(tmp_path, text)
    logs = tmp_path / "logs"
    done = run("--view=lines", "--log-dir", logs, path)
    assert done.returncode == 0
    said = (logs / "tell-T-2.1.log").read_text()
    assert "out: ***" in said
    assert "err: ***" in said
    assert "hush" not in said + done.stderr.decode()
