"""What a run shows while it goes on, at a terminal that is looked at."""

from __future__ import annotations

import re
import signal
from pathlib import Path

import pytest

from tests.support.command_line import SWARM_HOST, run
from tests.support.emulator import Emulator

TEAM = """
swarm.worker "read" {
  label = "{prompt}.md",
  run = function(ctx)
    ctx:progress("reading", "page 1")
    swarm.log.info("opened")
    repeat swarm.sleep(0.01) until swarm.fs.exists "go"
    print("has read", ctx.label)
  end,
}
swarm.worker "broken" { run = function() error "no such book" end }
swarm.worker "shell" {
  command = { "sh", "-c", "echo 'from the shell' >&2; while [ ! -e go ]; do sleep 0.01; done" },
}
swarm.main(function()
  print "main begins"
  local all = { swarm.spawn("read", "a"), swarm.spawn("read", "b"), swarm.spawn "shell" }
  all[4] = swarm.spawn "broken"
  swarm.settle(all)
  repeat swarm.sleep(0.01) until swarm.fs.exists "end"
  return "the result"
end)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "team.lua").write_text(TEAM)
    return tmp_path


def lines_of(shows: str) -> list[str]:
    """What a screen shows, times left out."""
    text = re.sub(r"\d\d:\d\d:\d\d", "12:00:00", shows)
    text = re.sub(r"(?<=\S) {2,}", " ", text)
    return re.sub(r" \d+ s\b", " .. s", text).splitlines()


def is_whole(shows: str) -> bool:
    """Whether a frame has been taken to its end: its last line has the counts."""
    return (
        re.fullmatch(r"4 running · 0 passed · 1 failed · \d+ s", shows.splitlines()[-1]) is not None
    )


LOGGED = [
    "main begins",
    "12:00:00 info: [read T-2 a.md] opened",
    "12:00:00 info: [read T-3 b.md] opened",
]
TREE = [
    "● main .. s 3 running · 1 failed",
    "├─ ● read a.md .. s reading: page 1",
    "├─ ● read b.md .. s reading: page 1",
    "├─ ● shell .. s from the shell",
    "└─ ✗ broken failed: team.lua:11: no such book",
]
PRINTED = [
    "12:00:00 [read T-2 a.md] has read a.md",
    "12:00:00 [read T-3 b.md] has read b.md",
]


def test_the_tree_stands_below_what_is_said_and_is_gone_at_the_end(folder: Path) -> None:
    with Emulator(folder, "team.lua") as terminal:
        shows = terminal.until(lambda shows: "from the shell" in shows and is_whole(shows))
        lines = lines_of(shows)
        assert lines[:8] == LOGGED + TREE
        assert re.fullmatch(r"4 running · 0 passed · 1 failed · \d s", shows.splitlines()[-1])
        (folder / "go").touch()
        terminal.until(lambda shows: "3 passed" in shows)
        (folder / "end").touch()
        assert terminal.exit_status() == 0
        lines = lines_of(terminal.shows)
        assert lines[:3] == LOGGED
        assert sorted(lines[3:5]) == PRINTED
        assert lines[5:7] == [
            "1 task failed:",
            '  worker "broken" (T-5): team.lua:11: no such book',
        ]
        assert re.fullmatch(r"4 passed · 1 failed · \.\. s", lines[7])
        assert lines[8:] == ["the result"]


def test_ctrl_c_says_whom_it_cancels_and_leaves_nothing_of_the_tree(folder: Path) -> None:
    with Emulator(folder, "team.lua") as terminal:
        terminal.until(lambda shows: "from the shell" in shows)
        terminal.send(signal.SIGINT)
        assert terminal.exit_status() == 130
        text = terminal.shows
    assert "cancelling 4 workers; Ctrl-C again ends at once" in text
    assert re.search(r'\n  worker "read" \[a.md\] \(T-2\), \d s: reading: page 1\n', text)
    assert re.search(r'\n  worker "shell" \(T-4\), \d s: from the shell\n', text)
    assert "●" not in text
    assert re.search("\ncancelled by SIGINT\nresume it with: swarm-host resume [0-9a-f]+$", text)


def test_ctrl_z_takes_the_tree_away_and_it_comes_back(folder: Path) -> None:
    shell = ("bash", "--norc", "-i")
    variables: dict[str, str | None] = {"PS1": "ready> ", "HISTFILE": ""}
    with Emulator(folder, program=shell, environment=variables) as terminal:
        terminal.until(lambda shows: "ready>" in shows)
        terminal.type(f"{' '.join(SWARM_HOST)} team.lua\n")
        terminal.until(lambda shows: "from the shell" in shows and is_whole(shows))
        terminal.type("\x1a")
        shows = terminal.until(lambda shows: "Stopped" in shows and shows.endswith("ready>"))
        assert "●" not in shows
        terminal.type("echo $((6 * 7))\n")
        terminal.until(lambda shows: "\n42\nready>" in shows)
        terminal.type("fg\n")
        shows = terminal.until(lambda shows: "● main" in shows and is_whole(shows))
        assert "\n42\n" in shows  # nothing of the shell's is drawn over
        terminal.type("\x03")
        terminal.until(
            lambda shows: (
                "cancelled by SIGINT\nresume it with:" in shows and shows.endswith("ready>")
            )
        )


def test_a_terminal_that_changes_its_size_has_a_frame_that_fits(folder: Path) -> None:
    with Emulator(folder, "team.lua") as terminal:
        terminal.until(lambda shows: "from the shell" in shows)
        terminal.resize(10, 5)
        shows = terminal.until(lambda shows: "4 runnin…" in shows)
        assert len(shows.splitlines()[-1]) <= 10
        terminal.resize(1, 1)
        terminal.until(lambda shows: shows == "…")
        terminal.resize(200, 50)
        shows = terminal.until(lambda shows: "from the shell" in shows and is_whole(shows))
        assert lines_of(shows)[-6:-1] == TREE
        (folder / "go").touch()
        (folder / "end").touch()
        assert terminal.exit_status() == 0
        assert "●" not in terminal.shows


@pytest.mark.parametrize(
    ("environment", "tree", "colours"),
    [
        ({}, True, True),
        ({"NO_COLOR": "1"}, True, False),
        ({"TERM": "dumb"}, False, False),
        ({"CI": "true"}, False, True),
    ],
)
def test_it_shows_what_the_terminal_can(
    folder: Path, environment: dict[str, str | None], tree: bool, colours: bool
) -> None:
    with Emulator(folder, "team.lua", environment=environment) as terminal:
        if environment.get("TERM") != "dumb":
            terminal.until(lambda shows: "4 running" in shows)
        terminal.until(lambda shows: "b.md] opened" in shows)
        (folder / "go").touch()
        (folder / "end").touch()
        assert terminal.exit_status() == 0
        assert (b"\xe2\x97\x8f" in terminal.wrote) is tree
        assert (re.search(rb"\x1b\[[0-9;]*3[0-9]m", terminal.wrote) is not None) is colours
        assert (b"\x1b" in terminal.wrote) is (environment.get("TERM") != "dumb")


def test_a_terminal_that_takes_ascii_alone_gets_it(folder: Path) -> None:
    environment: dict[str, str | None] = {"PYTHONIOENCODING": "ascii", "NO_COLOR": "1"}
    with Emulator(folder, "team.lua", environment=environment) as terminal:
        shows = terminal.until(lambda shows: "from the shell" in shows)
        assert "|- * read a.md" in shows
        assert "`- x broken" in shows


def test_a_terminal_that_closes_ends_the_run(folder: Path) -> None:
    with Emulator(folder, "team.lua") as terminal:
        terminal.until(lambda shows: "from the shell" in shows)
        terminal.close()
        assert terminal.exit_status() in (-signal.SIGHUP, 129, 1)


@pytest.mark.parametrize("view", ["lines", "plain", "off"])
def test_another_view_shows_no_tree(folder: Path, view: str) -> None:
    with Emulator(folder, "--view", view, "team.lua") as terminal:
        terminal.until(lambda shows: "b.md] opened" in shows)
        if view == "plain":
            terminal.until(lambda shows: "4 running · 0 passed · 1 failed" in shows)
        (folder / "go").touch()
        (folder / "end").touch()
        assert terminal.exit_status() == 0
        assert b"\xe2\x97\x8f" not in terminal.wrote
        assert "the result" in terminal.shows


def test_lines_have_the_worker_that_says_them(folder: Path) -> None:
    (folder / "go").touch()
    (folder / "end").touch()
    done = run("--view=lines", "team.lua", cwd=folder)
    assert done.stdout.decode().splitlines()[0] == "main begins"
    assert b"has read\ta.md\n" in done.stdout  # no terminal: it is as it was printed
    said = [re.sub(r"\d+\.\d s", ".. s", line) for line in lines_of(done.stderr.decode())]
    for line in (
        "12:00:00 [main T-1] began",
        "12:00:00 [read T-2 a.md] began",
        "12:00:00 [read T-2 a.md] reading: page 1",
        "12:00:00 info: [read T-2 a.md] opened",
        "12:00:00 [shell T-4] from the shell",
        "12:00:00 [broken T-5] failed after .. s: team.lua:11: no such book",
        "12:00:00 [shell T-4] passed after .. s",
        "12:00:00 [main T-1] passed after .. s",
    ):
        assert said.count(line) == 1, (line, said)


@pytest.mark.parametrize("words", [(), ("--view=tree",), ("--view=plain",)])
def test_a_pipe_gets_what_is_said_and_no_frames(folder: Path, words: tuple[str, ...]) -> None:
    (folder / "go").touch()
    (folder / "end").touch()
    done = run(*words, "team.lua", cwd=folder)
    assert "●" not in done.stderr.decode()
    assert b"\x1b" not in done.stderr
    assert lines_of(done.stderr.decode())[-2:] == [
        "1 task failed:",
        '  worker "broken" (T-5): team.lua:11: no such book',
    ]


def test_quiet_shows_nothing(folder: Path) -> None:
    with Emulator(folder, "--quiet", "team.lua") as terminal:
        terminal.until(lambda shows: "main begins" in shows)
        (folder / "go").touch()
        (folder / "end").touch()
        assert terminal.exit_status() == 0
        assert "●" not in terminal.wrote.decode()
        assert lines_of(terminal.shows)[-1] == "the result"
        assert "failed" not in terminal.shows


def test_a_view_that_there_is_not_is_refused(folder: Path) -> None:
    done = run("--view=forest", "team.lua", cwd=folder)
    assert done.returncode == 2
    assert b"'tree', 'lines', 'plain', 'off'" in done.stderr


# --log-dir ---------------------------------------------------------------------------------------


def test_each_attempt_has_a_file_with_what_it_said(folder: Path) -> None:
    (folder / "go").touch()
    (folder / "end").touch()
    done = run("--log-dir", "logs/today", "team.lua", cwd=folder)
    assert b"has read\ta.md\n" in done.stdout
    logs = folder / "logs" / "today"
    assert sorted(path.name for path in logs.iterdir()) == [
        "broken-T-5.1.log",
        "main-T-1.1.log",
        "read-T-2.1.log",
        "read-T-3.1.log",
        "shell-T-4.1.log",
    ]
    assert said_in(logs / "read-T-2.1.log") == [
        "host: began [a.md]",
        "progress: reading: page 1",
        "info: opened",
        "print: has read\ta.md",
        "host: passed after .. s",
    ]
    assert said_in(logs / "broken-T-5.1.log") == [
        "host: began",
        "host: failed after .. s: team.lua:11: no such book",
    ]
    assert said_in(logs / "shell-T-4.1.log") == [
        "host: began",
        "err: from the shell",
        "host: passed after .. s",
    ]


def said_in(path: Path) -> list[str]:
    """The lines of a file of ``--log-dir``, times left out."""
    text = re.sub(r"^\d\d:\d\d:\d\d\.\d{3} ", "", path.read_text(), flags=re.MULTILINE)
    return re.sub(r" \d+\.\d s", " .. s", text).splitlines()


def test_what_a_script_said_that_ends_the_process_is_kept(folder: Path) -> None:
    (folder / "ends.lua").write_text("""
      swarm.main(function()
        for i = 1, 5 do swarm.log.info("line " .. i) end
        io.write "a" io.write "b\\n" io.write "c"
        swarm.spawn(function() print("apart") swarm.sleep(60) end, nil, { detached = true })
        swarm.sleep(0.01)
        os.exit(0)
      end)
    """)
    assert run("--trust", "--log-dir", "logs", "ends.lua", cwd=folder).returncode == 0
    said = said_in(folder / "logs" / "main-T-1.1.log")
    assert said == ["host: began", *(f"info: line {i}" for i in range(1, 6)), "print: ab"]


def test_names_and_labels_move_no_cursor(folder: Path) -> None:
    (folder / "odd.lua").write_text("""
      swarm.worker "a\\nb\\27[31m" {
        label = "l\\194\\155m",
        run = function() print "here" swarm.sleep(60) end,
      }
      swarm.main(function() swarm.call "a\\nb\\27[31m" end)
    """)
    with Emulator(folder, "odd.lua") as terminal:
        terminal.until(lambda shows: "● a b" in shows)
        terminal.send(signal.SIGINT)
        assert terminal.exit_status() == 130
    assert b"\x1b[31m" not in terminal.wrote.replace(b"\x1b[31merror", b"")
    assert b"\xc2\x9b" not in terminal.wrote
    assert 'worker "a b\\x1b[31m" [l\\x9bm] (T-2), ' in "".join(terminal.shows.split("\n"))


def test_in_the_background_no_tree_is_drawn(folder: Path) -> None:
    shell = ("bash", "--norc", "-i")
    variables: dict[str, str | None] = {"PS1": "ready> ", "HISTFILE": ""}
    with Emulator(folder, program=shell, environment=variables) as terminal:
        terminal.until(lambda shows: "ready>" in shows)
        terminal.type(f"{' '.join(SWARM_HOST)} team.lua &\n")
        terminal.until(lambda shows: "b.md] opened" in shows)
        terminal.type("sleep 1; kill -INT %1; wait\n")  # what is not to be there cannot be awaited
        shows = terminal.until(lambda shows: "cancelled by SIGINT" in shows)
        assert "●" not in shows
        assert "●".encode() not in terminal.wrote


def test_a_view_that_fails_does_not_end_the_run(folder: Path) -> None:
    """Its modules are replaced by one that cannot work."""
    (folder / "sitecustomize.py").write_text(
        "import swarm_host.host as h\n"
        "def broken(self, rows): raise ValueError('no picture')\n"
        "h.Host.picture = broken\n"
    )
    for name in ("go", "end"):
        (folder / name).touch()
    (folder / "slow.lua").write_text("swarm.main(function() swarm.sleep(1.5) return 'done' end)")
    with Emulator(folder, "slow.lua", environment={"PYTHONPATH": str(folder)}) as terminal:
        assert terminal.exit_status() == 0
        assert "error: the view cannot go on: ValueError: no picture" in terminal.shows
        assert terminal.shows.endswith("done")
