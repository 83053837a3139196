"""Ctrl-C and SIGTERM: once, twice, and where Lua does not give control back."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.command_line import MAIN, SWARM_HOST, popen, script
from tests.support.terminal import Terminal, rest_of

CLEAN_UP = """
swarm.main(function()
  print("begun")
  local ok, err = pcall(swarm.sleep, 60)
  swarm.shield(function() {} print("cleaned up", err.reason) end)
end)
"""

# `begun` is handed over at the end of its turn; the cancel that may come then is ignored.
BEGIN = "print('begun') pcall(swarm.sleep, 0.05)"

HELD = {
    "main": (MAIN.format(f"{BEGIN} while true do end"), 'worker "main" (T-1)'),
    "worker": (
        f"swarm.worker 'spin' {{ run = function() {BEGIN} while true do end end }}\n"
        + MAIN.format("swarm.spawn(function() swarm.sleep(60) end) swarm.call('spin')"),
        'worker "spin" (T-3)',
    ),
    "function": (
        MAIN.format(f"swarm.call(function() {BEGIN} while true do end end)"),
        "a function spawned at function.lua:1 (T-2)",
    ),
    "pattern": (
        MAIN.format(f"{BEGIN} string.find(('a'):rep(60), ('a-'):rep(30) .. 'b')"),
        'worker "main" (T-1)',
    ),
    "hook": (
        f"swarm.before('main', function() {BEGIN} while true do end end)\n" + MAIN.format(""),
        'worker "main" (T-1)',
    ),
    "clean-up": (
        MAIN.format(f"{BEGIN} swarm.shield(function() while true do end end)"),
        'worker "main" (T-1)',
    ),
    "loading": (
        "print('begun') pcall(swarm.fs.read, 'loading.lua') while true do end",
        "the script while loading loading.lua",
    ),
}


SAYS = b'cancelling worker "main" (T-1); %s again ends at once, without clean-up\n'


def without_hint(err: bytes) -> bytes:
    """What was said without how to go on, which is said where the run had begun something."""
    return re.sub(rb"resume it with: swarm-host resume [0-9a-f]{12}\n\Z", b"", err)


def wait_until_begun(process: subprocess.Popen[bytes]) -> None:
    assert process.stdout is not None
    assert process.stdout.readline() == b"begun\n"


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_cancels_the_run_and_its_clean_up_runs(
    tmp_path: Path, number: signal.Signals, status: int
) -> None:
    with popen(script(tmp_path, CLEAN_UP.format("swarm.sleep(0.05)"))) as process:
        wait_until_begun(process)
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
    assert process.returncode == status
    assert out == f"cleaned up\tcancelled by {number.name}\n".encode()
    word = b"Ctrl-C" if number == signal.SIGINT else b"SIGTERM"
    assert without_hint(err) == SAYS % word + f"cancelled by {number.name}\n".encode()


COMPUTES_IN_TURNS = """
for i = 1, 5 do
  local stop = swarm.monotonic() + 1
  while swarm.monotonic() < stop do end
  swarm.yield()
end
"""


@pytest.mark.parametrize("takes_long", ["swarm.sleep(5)", COMPUTES_IN_TURNS])
def test_clean_up_that_gives_control_back_takes_its_time(tmp_path: Path, takes_long: str) -> None:
    with popen(script(tmp_path, CLEAN_UP.format(takes_long))) as process:
        wait_until_begun(process)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=40)
    assert process.returncode == 143
    assert out == b"cleaned up\tcancelled by SIGTERM\n"
    said = without_hint(err).splitlines(keepends=True)
    assert (said[0], said[-1]) == (SAYS % b"SIGTERM", b"cancelled by SIGTERM\n")


def test_an_error_of_the_clean_up_is_told(tmp_path: Path) -> None:
    with popen(script(tmp_path, CLEAN_UP.format("error('no clean-up')"))) as process:
        wait_until_begun(process)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert b"no clean-up" in err


def test_one_signal_ends_a_run_that_does_not_give_control_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, (text, holder) in HELD.items():
        script(tmp_path, text, f"{name}.lua")
        with popen(f"{name}.lua") as process:
            wait_until_begun(process)
            signalled = time.monotonic()
            process.send_signal(signal.SIGTERM)
            _, err = process.communicate(timeout=20)
            took = time.monotonic() - signalled
        assert process.returncode == 143, name
        said = err.decode().splitlines()
        said = [line for line in said if not line.startswith(("cancelling ", "  worker "))]
        assert said[0].startswith(f"error: SIGTERM: ended without clean-up: {holder} had control")
        assert took >= 3, name


def test_a_second_signal_ends_a_clean_up(tmp_path: Path) -> None:
    with popen(script(tmp_path, CLEAN_UP.format("print('cleans') swarm.sleep(20)"))) as process:
        wait_until_begun(process)
        process.send_signal(signal.SIGINT)
        assert process.stdout is not None
        assert process.stdout.readline() == b"cleans\n"
        time.sleep(0.15)  # sooner it would count as the same signal
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=20)
    assert process.returncode == 143
    said = SAYS % b"Ctrl-C" + b"error: SIGTERM again: ended without clean-up\n"
    assert (out, err) == (b"", said)


def test_a_second_signal_says_who_had_control(tmp_path: Path) -> None:
    with popen(script(tmp_path, HELD["main"][0])) as process:
        wait_until_begun(process)
        process.send_signal(signal.SIGINT)
        time.sleep(1)
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    words = b'error: SIGINT again: ended without clean-up: worker "main" (T-1) had control for '
    assert err.removeprefix(SAYS % b"Ctrl-C").startswith(words)


def test_signals_that_come_together_count_once(tmp_path: Path) -> None:
    with popen(script(tmp_path, CLEAN_UP.format("swarm.sleep(0.05)"))) as process:
        wait_until_begun(process)
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=20)
    first = {130: b"SIGINT", 143: b"SIGTERM"}[process.returncode]
    assert out == b"cleaned up\tcancelled by " + first + b"\n"


def test_a_signal_while_loading_ends_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = script(tmp_path, "print('begun') while true do swarm.fs.read('script.lua') end")
    with popen(path) as process:
        wait_until_begun(process)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    says = b"cancelling the run; Ctrl-C again ends at once, without clean-up\n"
    assert without_hint(err) == says + b"cancelled by SIGINT\n"


def test_a_run_whose_output_nobody_reads_can_be_ended(tmp_path: Path) -> None:
    with popen(script(tmp_path, MAIN.format("while true do print(('x'):rep(999)) end"))) as process:
        assert process.stdout is not None
        select.select([process.stdout], [], [], 20)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 143
        assert process.stderr is not None
        assert b"is not read any more" in process.stderr.read()


def test_events_are_kept_where_the_process_is_ended_at_once(tmp_path: Path) -> None:
    events = tmp_path / "events.jsonl"
    with popen("--events", events, script(tmp_path, HELD["main"][0])) as process:
        wait_until_begun(process)
        process.send_signal(signal.SIGINT)
        time.sleep(0.15)  # sooner it would count as the same signal
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 130
    types = [json.loads(line)["type"] for line in events.read_text().splitlines()]
    assert types == ["task_created", "task_attempt_started"]


def test_the_line_of_progress_is_taken_away_first(tmp_path: Path) -> None:
    leader, follower = pty.openpty()
    drawn = b""
    body = "pcall(swarm.sleep, 1.5) while true do end"
    with popen(script(tmp_path, MAIN.format(body)), stderr=follower) as process:
        os.close(follower)
        while b"1 running" not in drawn:
            assert select.select([leader], [], [], 20)[0]
            drawn += os.read(leader, 65536)
        process.send_signal(signal.SIGINT)
        drawn += rest_of(leader)
        assert process.wait(timeout=20) == 130
    os.close(leader)
    before, _, after = drawn.rpartition(b"\x1b[J")
    assert b"running" in before
    assert b"ended without clean-up" in after


ENDS_WITH_CHILDREN = """
import os
import anyio
from swarm_host.ports.process import children
async def main():
    child = await children.Children().start(
        [b"sh", b"-c", b"sleep 600 & echo $!; exec sleep 600"],
        program=b"/bin/sh", environment=dict(os.environb), folder=None, has_input=False,
    )
    os.set_blocking(child.stdout, True)
    print(os.getpgid(int(os.read(child.stdout, 99))), flush=True)
    children.end_all()
    os._exit(0)
anyio.run(main)
"""


def group_is_gone(group: int) -> bool:
    """Whether nobody of a process group runs, at last."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        states = subprocess.run(
            ["ps", "-o", "stat=", "-g", str(group)], capture_output=True, text=True
        ).stdout.split()
        if all(state.startswith("Z") for state in states):
            return True
        time.sleep(0.05)
    return False


def test_a_process_that_ends_at_once_leaves_no_child() -> None:
    command = [sys.executable, "-c", ENDS_WITH_CHILDREN]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20)
    assert group_is_gone(int(done.stdout)), done.stderr


@pytest.mark.parametrize("holds", ["while true do end", "swarm.shield(swarm.sleep, 25)"])
def test_no_worker_s_process_is_left_over(tmp_path: Path, holds: str) -> None:
    text = """
      swarm.worker "nap" { command = { "sh", "-c", "echo $$ >&2; sleep 600 & sleep 600" } }
      swarm.main(function()
        local nap = swarm.spawn "nap"
        for event in nap:follow() do print(event.note) break end
    """
    with popen(script(tmp_path, f"{text} pcall(swarm.sleep, 0.05) {holds} end)")) as process:
        assert process.stdout is not None
        group = int(process.stdout.readline())
        process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 143
    assert group_is_gone(group)


# Other signals, and other times. ------------------------------------------------------------------

NAPS = """
swarm.worker "nap" { command = { "sh", "-c", "echo $$ > new; mv new pid; exec sleep 600" } }
swarm.main(function()
  swarm.spawn "nap"
  while not swarm.fs.exists "pid" do swarm.sleep(0.01) end
  print("begun")
  swarm.sleep(600)
end)
"""

ALSO_FATAL = ("HUP", "QUIT", "USR1", "USR2", "ALRM", "VTALRM", "PROF", "ABRT", "XCPU", "IO", "PWR")


@pytest.mark.parametrize("name", ALSO_FATAL)
def test_what_ends_a_process_ends_its_children_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    number = getattr(signal, f"SIG{name}")
    with popen(script(tmp_path, NAPS)) as process:
        wait_until_begun(process)
        process.send_signal(number)
        assert process.wait(timeout=20) == -number
    assert group_is_gone(int((tmp_path / "pid").read_text()))


def test_sigquit_says_first_who_waits_for_what(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    script(tmp_path, NAPS)
    with popen("script.lua") as process:
        wait_until_begun(process)
        process.send_signal(signal.SIGQUIT)
        _, err = process.communicate(timeout=20)
    assert process.returncode == -signal.SIGQUIT
    assert err.decode().splitlines() == [
        'T-1 "main" at script.lua:7 waits for a timer',
        'T-2 "nap" at script.lua:2 waits for its program',
    ]


def test_sigquit_says_who_has_control(tmp_path: Path) -> None:
    flood = "print(('x'):rep(70000)) while true"  # so much is handed over within the turn
    with popen(script(tmp_path, HELD["worker"][0].replace("while true", flood))) as process:
        wait_until_begun(process)
        assert process.stdout is not None
        assert len(process.stdout.readline()) == 70001
        process.send_signal(signal.SIGQUIT)
        _, err = process.communicate(timeout=20)
    assert process.returncode == -signal.SIGQUIT
    assert b'worker "spin" (T-3) has had control for' in err


@pytest.mark.parametrize("name", ["worker", "loading"])
def test_who_does_not_give_control_back_is_told_of_unasked(tmp_path: Path, name: str) -> None:
    text, holder = HELD[name]
    script(tmp_path, text, f"{name}.lua")
    advice = "as it loads, a script defines" if name == "loading" else r"must call swarm.yield\(\)"
    with Terminal(tmp_path, f"{name}.lua") as session:
        session.expect(f"^{re.escape(holder)} has had control for 3 s, and nobody else runs$")
        session.expect(advice)
        session.send(signal.SIGINT)
        session.expect(
            f"^error: SIGINT: ended without clean-up: {re.escape(holder)} had control for"
        )
        assert session.exit_status() == 130
    assert session.said.count("has had control") == 1


def test_the_end_of_the_run_s_time_ends_who_does_not_give_control_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, (text, holder) in HELD.items():
        script(tmp_path, text, f"{name}.lua")
        with popen("--timeout", "2", f"{name}.lua") as process:
            _, err = process.communicate(timeout=20)
        assert process.returncode == 124, name
        said = err.decode().splitlines()
        assert said[0].startswith("error: --timeout 2: ended without clean-up: "), name
        assert f"clean-up: {holder} had control for " in said[0], name


def test_the_end_of_the_run_s_time_leaves_clean_up_its_time(tmp_path: Path) -> None:
    text = CLEAN_UP.format("swarm.sleep(4)")
    with popen("--timeout", "2", script(tmp_path, text)) as process:
        out, _ = process.communicate(timeout=20)
    assert process.returncode == 124
    assert b"cleaned up" in out


EARLY = """
import sys
import swarm_host.cli
print("up", flush=True)
sys.argv[1:] = ["script.lua"]
swarm_host.cli.main(prog_name="swarm-host")
"""


def test_a_signal_at_any_instant_of_a_short_run_gives_its_status(tmp_path: Path) -> None:
    """While it starts, while it runs, while it ends: never a word of Python's."""
    script(tmp_path, MAIN.format("swarm.sleep(0.02)"))
    statuses = set()
    for attempt in range(24):
        number = (signal.SIGINT, signal.SIGTERM)[attempt % 2]
        process = subprocess.Popen(
            [sys.executable, "-c", EARLY],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        with process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"up\n"
            time.sleep(0.004 + attempt * 0.016)
            process.send_signal(number)
            _, err = process.communicate(timeout=20)
        statuses.add(process.returncode)
        assert process.returncode in (0, 128 + number), err.decode()
        word = "Ctrl-C" if number == signal.SIGINT else number.name
        says = f"cancelling [^\n]*; {word} again ends at once, without clean-up\n"
        told = f"((?:{says})?cancelled by {number.name}\n)?"
        assert re.fullmatch(told, without_hint(err).decode()), err.decode()
    assert statuses >= {130, 143}


def test_a_child_s_status_is_known_where_children_were_ignored(tmp_path: Path) -> None:
    path = script(tmp_path, MAIN.format("return swarm.exec({ 'sh', '-c', 'exit 3' }).exit_code"))
    command = ["bash", "-c", 'trap "" CHLD; exec "$@"', "bash", *SWARM_HOST, str(path)]
    done = subprocess.run(command, capture_output=True, timeout=20)
    assert (done.returncode, done.stdout) == (0, b"3\n")


FIRST = """
import ctypes, os, subprocess, sys
libc = ctypes.CDLL(None, use_errno=True)
if libc.unshare(0x20000000 | 0x00020000) != 0:  # a space of processes, and of mounts, of its own
    sys.exit(77)
first = os.fork()
if first == 0:
    libc.mount(b"none", b"/", None, 0x44000, None)  # what is mounted here is seen here only
    if libc.mount(b"proc", b"/proc", b"proc", 0, None) != 0:
        os._exit(77)
    os.execv(sys.argv[1], sys.argv[1:])
sys.exit(os.waitstatus_to_exitcode(os.waitpid(first, 0)[1]))
"""

ORPHANS = """
  for i = 1, 5 do
    swarm.exec { "sh", "-c", "setsid sh -c 'sleep 0.1 &' </dev/null >/dev/null 2>&1 &" }
  end
  assert(swarm.exec({ "sh", "-c", "sleep 0.3; exit 7" }).exit_code == 7)
  local found, zombies = swarm.fs.glob "/proc/[0-9]*/stat", 0
  for _, path in ipairs(found) do
    local ok, text = pcall(swarm.fs.read, path)
    if ok and text:find "%) Z " then zombies = zombies + 1 end
  end
  return zombies
"""


def test_as_the_first_process_it_takes_orphans_and_its_own_alone(tmp_path: Path) -> None:
    path = script(tmp_path, MAIN.format(ORPHANS))
    command = [sys.executable, "-c", FIRST, *SWARM_HOST, str(path)]
    done = subprocess.run(command, capture_output=True, timeout=30)
    if done.returncode == 77:
        pytest.skip("the system gives no space of processes of its own here")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"0\n", b"")
