"""What a run says: it arrives whole, however slowly it is read, and where it cannot arrive the run
ends in order and its status says so."""

from __future__ import annotations

import fcntl
import os
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from tests.support.command_line import MAIN, SWARM_HOST, popen, script
from tests.support.waiting import wait_for, wait_for_end

CLEANS_UP = """
swarm.worker "nap" {{ command = {{ "sh", "-c", "echo $$ > new; mv new pid; exec sleep 600" }} }}
swarm.main(function(_, ctx)
  pcall(function()
    swarm.spawn "nap"
    while not swarm.fs.exists "pid" do swarm.sleep(0.01) end
    for i = 1, 100000 do {says} swarm.sleep(0.01) end
  end)
  swarm.shield(function() swarm.fs.write("cleaned", "up") end)
end)
"""

LINES = MAIN.format("for i = 1, 40000 do print(i) end return 'the end'")
LINES_SAID = b"".join(b"%d\n" % i for i in range(1, 40001)) + b"the end\n"

UNBUFFERED = pytest.mark.parametrize("unbuffered", ["", "1"])


def shell(
    command: str, folder: Path, unbuffered: str = "", seconds: float = 60
) -> subprocess.CompletedProcess[bytes]:
    """Runs a line of shell, in which ``swarm-host`` is ours."""
    here = "swarm-host() { " + " ".join(SWARM_HOST) + ' "$@"; }\n'
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    done = subprocess.run(
        ["bash", "-c", here + command],
        cwd=folder,
        env=environment,
        capture_output=True,
        timeout=seconds,
    )
    assert b"Traceback" not in done.stderr + done.stdout, done.stderr.decode()
    assert b"internal error" not in done.stderr + done.stdout, done.stderr.decode()
    return done


def no_child_is_left(folder: Path) -> None:
    if (folder / "pid").exists():
        wait_for_end(int((folder / "pid").read_text()))


@UNBUFFERED
def test_what_is_written_short_is_written_on(tmp_path: Path, unbuffered: str) -> None:
    """A pipe that does not wait takes what it has room for."""
    script(tmp_path, LINES)
    ours, theirs = os.pipe()
    fcntl.fcntl(theirs, fcntl.F_SETFL, os.O_NONBLOCK | os.O_WRONLY)
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    command = [*SWARM_HOST, "script.lua"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=theirs, env=environment) as process:
        os.close(theirs)
        time.sleep(0.5)  # it is full by now, or will be; what is seen is the same
        with os.fdopen(ours, "rb") as pipe:
            assert pipe.read() == LINES_SAID
    assert process.returncode == 0


@UNBUFFERED
@pytest.mark.parametrize(
    ("redirect", "says", "told"),
    [
        (">/dev/full", "print(i)", "standard output cannot be written: no space left on device"),
        (">&-", "print(i)", "standard output cannot be written: it is closed"),
        ("2>/dev/full", "swarm.log.warn(i)", ""),
    ],
)
def test_where_nothing_can_be_written_the_run_ends_in_order(
    tmp_path: Path, redirect: str, says: str, told: str, unbuffered: str
) -> None:
    script(tmp_path, CLEANS_UP.format(says=says))
    done = shell(f"swarm-host {redirect} script.lua", tmp_path, unbuffered)
    assert done.returncode == 1
    assert done.stderr.decode().splitlines() == ([f"error: {told}"] if told else [])
    assert (tmp_path / "cleaned").exists()
    no_child_is_left(tmp_path)


def test_where_events_cannot_be_written_the_run_ends_in_order(tmp_path: Path) -> None:
    script(tmp_path, CLEANS_UP.format(says="ctx:progress(tostring(i))"))
    done = shell("ulimit -f 4; swarm-host --no-journal --events events script.lua", tmp_path)
    assert done.returncode == 1
    assert done.stderr == b"error: --events events cannot be written: file too large\n"
    assert (tmp_path / "events").stat().st_size == 4 * 1024
    assert (tmp_path / "cleaned").exists()
    no_child_is_left(tmp_path)
    assert shell("swarm-host --events /dev/full script.lua", tmp_path).returncode == 1


@pytest.mark.parametrize(
    ("pipeline", "says"),
    [
        ("script.lua | head -1", "print(i)"),
        ("script.lua 2>&1 >/dev/null | head -1", "swarm.log.warn(i)"),
        ("--events >(head -1 >&3) script.lua", "ctx:progress(tostring(i))"),
    ],
)
def test_where_a_reader_goes_the_run_ends_in_order(
    tmp_path: Path, pipeline: str, says: str
) -> None:
    script(tmp_path, CLEANS_UP.format(says=says))
    done = shell(f"exec 3>&1; swarm-host {pipeline}; exit ${{PIPESTATUS[0]}}", tmp_path)
    assert done.returncode == 1
    assert (tmp_path / "cleaned").exists()
    no_child_is_left(tmp_path)


@pytest.mark.parametrize("redirect", [">&-", "2>&-", "<&-", ">&- 2>&- <&-"])
def test_streams_that_are_closed_from_the_start_do_not_matter_where_nothing_is_said(
    tmp_path: Path, redirect: str
) -> None:
    script(tmp_path, MAIN.format("swarm.exec { 'true' } swarm.log.info('hm')"))
    done = shell(f"swarm-host script.lua {redirect}", tmp_path)
    assert done.returncode == 0


def test_a_closed_stderr_takes_nothing_from_stdout(tmp_path: Path) -> None:
    script(tmp_path, MAIN.format("swarm.log.warn('hm') print('said') return swarm.args[1]"))
    done = shell("swarm-host script.lua there 2>&-", tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"said\nthere\n", b"")


def test_a_result_that_cannot_be_written_is_a_failure(tmp_path: Path) -> None:
    script(tmp_path, MAIN.format("return 'x'"))
    for command in ("swarm-host script.lua", "swarm-host check script.lua", "swarm-host --help"):
        done = shell(f"{command} >/dev/full", tmp_path)
        assert done.returncode == 1
        assert b"error: standard output cannot be written: " in done.stderr
        assert b"Traceback" not in done.stderr


def test_a_report_of_specs_needs_somewhere_to_go(tmp_path: Path) -> None:
    script(tmp_path, "it('passes', function() end)", "one_spec.lua")
    done = shell("swarm-host test >&-", tmp_path)
    assert done.returncode == 2
    assert done.stderr == b"error: standard output is closed, and the report goes there\n"


def test_a_file_that_fills_up_keeps_what_it_could_take(tmp_path: Path) -> None:
    script(tmp_path, LINES)
    done = shell("ulimit -f 64; swarm-host script.lua >out", tmp_path)
    assert done.returncode == 1
    assert b"standard output cannot be written: file too large" in done.stderr
    assert LINES_SAID.startswith((tmp_path / "out").read_bytes())
    assert (tmp_path / "out").stat().st_size == 64 * 1024


# Nobody reads. ------------------------------------------------------------------------------------

FLOOD = """
swarm.worker "nap" {
  command = { "sh", "-c", "echo $$ > new; mv new pid; exec sleep 600" }, timeout = 1,
}
swarm.worker "beat" { run = function()
  while true do swarm.sleep(0.05) swarm.fs.append("beats", ".") end
end }
swarm.worker "talks" { run = function() while true do %s swarm.sleep(0) end end }
swarm.main(function()
  swarm.spawn "beat"
  local nap = swarm.spawn "nap"
  swarm.spawn "talks"
  local ok, err = swarm.join(nap)
  swarm.fs.write("nap", err.code)
  swarm.sleep(600)
end)
"""


@pytest.mark.parametrize(
    "says", ["print(('x'):rep(9999))", "swarm.log.info(('x'):rep(999))"], ids=["stdout", "stderr"]
)
def test_who_does_not_read_stops_no_timeout(tmp_path: Path, says: str) -> None:
    script(tmp_path, FLOOD % says)
    words = ["--timeout", "4", "script.lua"]
    with subprocess.Popen(
        [*SWARM_HOST, *words], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        wait_for(tmp_path / "nap")
        assert (tmp_path / "nap").read_text() == "timeout"
        assert process.wait(timeout=20) == 124
    assert len((tmp_path / "beats").read_text()) > 5
    no_child_is_left(tmp_path)


SAYS_MUCH = MAIN.format("print(('x'):rep(300000)) return 'the end'")


def wait_until_full(process: subprocess.Popen[bytes]) -> None:
    """Waits until a run has said as much as its stdout takes with nobody reading."""
    assert process.stdout is not None
    pipe = process.stdout.fileno()
    full = fcntl.fcntl(pipe, fcntl.F_GETPIPE_SZ) - 2 * 4096  # a page may be filled in part
    deadline = time.monotonic() + 20
    while (said := ioctl_int(pipe, termios.FIONREAD)) < full:
        assert process.poll() is None, f"it ended with {said} bytes unread"
        assert time.monotonic() < deadline, f"it said only {said} bytes"
        time.sleep(0.01)


def ioctl_int(file: int, what: int) -> int:
    return int(struct.unpack("i", fcntl.ioctl(file, what, b"\0" * 4))[0])


def test_at_the_end_the_reader_is_waited_for(tmp_path: Path) -> None:
    with popen(script(tmp_path, SAYS_MUCH)) as process:
        wait_until_full(process)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=1)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (0, b"")
    assert out == b"x" * 300000 + b"\nthe end\n"


def told_unread(err: bytes, why: str) -> bool:
    last = err.splitlines()[-1]  # before it: that the run is cancelled, where it has not ended yet
    return last.startswith(f"error: {why}: ".encode()) and b"bytes of output are not read" in last


def test_a_signal_ends_the_wait_for_the_reader(tmp_path: Path) -> None:
    with popen(script(tmp_path, SAYS_MUCH)) as process:
        wait_until_full(process)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=5) == 130
        assert process.stderr is not None
        assert told_unread(process.stderr.read(), "SIGINT")


def test_the_end_of_time_ends_the_wait_for_the_reader(tmp_path: Path) -> None:
    with popen("--timeout", "2", script(tmp_path, SAYS_MUCH)) as process:
        assert process.wait(timeout=8) == 124
        assert process.stderr is not None
        assert told_unread(process.stderr.read(), "the run's time is up")


def test_stdout_and_stderr_keep_their_order_in_one_pipe(tmp_path: Path) -> None:
    body = "for i = 1, 3000 do print('out', i, ('x'):rep(99)) io.stderr:write('err ', i, '\\n') end"
    path = script(tmp_path, MAIN.format(f"{body} swarm.sleep(0)"))
    with popen(path, stderr=subprocess.STDOUT) as process:
        wait_until_full(process)
        out, _ = process.communicate(timeout=20)
    lines = out.decode().splitlines()
    assert len(lines) == 6000
    assert [line for line in lines if line.startswith("err")] == [
        f"err {i}" for i in range(1, 3001)
    ]


# An exit of a trusted script's own. ---------------------------------------------------------------


@pytest.mark.parametrize(("given", "status"), [("3", 3), ("", 0), ("false", 1), ("true", 0)])
def test_os_exit_says_what_was_said_and_leaves_no_child(
    tmp_path: Path, given: str, status: int
) -> None:
    text = CLEANS_UP.format(says=f"print(('y'):rep(200000)) os.exit({given})")
    script(tmp_path, text)
    done = shell("swarm-host --trust --events events script.lua", tmp_path)
    assert done.returncode == status
    assert done.stdout == b"y" * 200000 + b"\n"
    assert b"nap" in (tmp_path / "events").read_bytes()
    assert not (tmp_path / "cleaned").exists()
    no_child_is_left(tmp_path)


EMBEDDED = """
import anyio, sys
from swarm_host import Host
async def main():
    async with Host.load(sys.argv[1]) as host:
        await host.run()
anyio.run(main)
"""


@UNBUFFERED
def test_an_embedded_host_writes_all_of_it(tmp_path: Path, unbuffered: str) -> None:
    path = script(tmp_path, MAIN.format("print(('x'):rep(300000))"))
    ours, theirs = os.pipe()
    os.set_blocking(theirs, False)
    environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
    command = [sys.executable, "-c", EMBEDDED, str(path)]
    with subprocess.Popen(command, stdout=theirs, env=environment) as process:
        os.close(theirs)
        with os.fdopen(ours, "rb") as pipe:
            time.sleep(0.5)
            assert pipe.read() == b"x" * 300000 + b"\n"
    assert process.returncode == 0
