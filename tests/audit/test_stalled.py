"""An audit that is a pipe whose reader reads no more: the run ends, and in its time."""

from __future__ import annotations

import fcntl
import os
import re
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest

from swarm_host import Host, Options, SwarmError
from swarm_host.audit import writer
from swarm_host.audit.audit import Audit
from tests.support.command_line import popen, run, script
from tests.support.waiting import hold, within

MANY = """
swarm.worker "w" { run = function(_, n) swarm.yield() return n end }
swarm.worker "touch" { command = { "touch", "ran" } }
swarm.main(function()
  local items = {}
  for n = 1, 2000 do items[n] = n end
  swarm.map("w", items)
  swarm.call "touch"
end)
"""
SHORT = "swarm.main(function() end)"
SAID = r"the audit .*/pipe cannot be written: its reader has taken nothing for ([0-9.]+) s"
TO_END = ", and the run was to end. The run has ended, so that nothing is done"


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The end of a pipe that nobody reads from; the script makes more lines than it holds."""
    monkeypatch.chdir(tmp_path)
    script(tmp_path, MANY)
    os.mkfifo("pipe")
    number = os.open("pipe", os.O_RDONLY | os.O_NONBLOCK)
    yield number
    os.close(number)


def unread(number: int) -> int:
    """How many bytes are in a pipe."""
    return int.from_bytes(fcntl.ioctl(number, termios.FIONREAD, bytes(4)), "little")


def seconds_of(said: str) -> float:
    """For how long the run has waited for the reader, as it says."""
    found = re.search(SAID, said)
    assert found, said
    return float(found[1])


def embedded(timeout: float | None = None) -> SwarmError:
    """How a run in a Python program ends."""

    async def main() -> None:
        async with Host.load("script.lua", Options(audit=Audit("pipe"))) as host:
            await host.run(timeout)

    with pytest.raises(SwarmError) as raised:
        within(60, main)
    assert raised.value.error["code"] == "audit_error"
    assert not Path("ran").exists()
    return raised.value


@pytest.mark.usefixtures("reader")
def test_a_reader_that_takes_nothing_for_long_ends_the_run() -> None:
    done = run("--no-journal", "--audit", "pipe", "script.lua")
    said = done.stderr.decode()
    assert (done.returncode, done.stdout) == (1, b""), said
    assert seconds_of(said) >= writer.STALL_SECONDS
    assert ". The run has ended, so that nothing is done that is not in it; " in said
    assert not Path("ran").exists()


@pytest.mark.usefixtures("reader")
def test_it_takes_no_more_than_the_runs_time() -> None:
    done = run("--no-journal", "--timeout", "1", "--audit", "pipe", "script.lua")
    said = done.stderr.decode()
    assert (done.returncode, done.stdout) == (1, b""), said
    assert TO_END in said
    assert seconds_of(said) < writer.STALL_SECONDS


def test_one_signal_ends_it(reader: int) -> None:
    with popen("--no-journal", "--audit", "pipe", "script.lua") as process:
        hold(lambda: unread(reader) > 60_000)
        process.terminate()
        said = process.communicate(timeout=20)[1].decode()
    assert process.returncode == 143
    assert TO_END in said
    assert seconds_of(said) < writer.STALL_SECONDS
    assert "cancelled by SIGTERM" in said


@pytest.mark.usefixtures("reader")
def test_an_embedding_program_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "STALL_SECONDS", 600)
    assert seconds_of(str(embedded(0.1))) >= writer.HURRIED_SECONDS
    monkeypatch.setattr(writer, "STALL_SECONDS", 0.2)
    assert 0.2 <= seconds_of(str(embedded())) < 60


def test_a_pipe_that_is_full_as_a_script_is_loaded_holds_nothing_up(reader: int) -> None:
    """Nothing of a short run but its end has to wait; that is bounded, too."""
    with open("pipe", "wb", buffering=0, opener=_nonblocking) as other:
        while other.write(bytes(4096)):
            pass
        assert unread(reader) >= 4096
        Path("script.lua").write_text(SHORT)
        done = run("--no-journal", "--audit", "pipe", "script.lua")
    assert done.returncode == 1
    assert seconds_of(done.stderr.decode()) >= writer.STALL_SECONDS


def _nonblocking(path: str, _flags: int) -> int:
    return os.open(path, os.O_WRONLY | os.O_NONBLOCK)


def test_a_reader_that_goes_on_in_time_has_all(reader: int, tmp_path: Path) -> None:
    with popen("--no-journal", "--audit", "pipe", "script.lua") as process:
        hold(lambda: unread(reader) > 60_000)
        os.set_blocking(reader, True)
        kept = b""
        while text := os.read(reader, 65536):
            kept += text
        assert process.wait(timeout=20) == 0, process.communicate()
    (tmp_path / "kept").write_bytes(kept)
    assert run("audit", "verify", "kept").returncode == 0
    assert kept.count(b'"type":"task_created"') == 2002
