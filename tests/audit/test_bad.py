"""Audits that cannot be written, or not gone on with: a run without one does nothing."""

from __future__ import annotations

import json
import os
import resource
import shlex
import signal
import subprocess
from pathlib import Path

import anyio
import pytest

from swarm_host import Host, Options, SwarmError
from swarm_host.audit.audit import Audit
from swarm_host.audit.writer import NoAudit
from tests.audit.trails import of_type, rows, verified
from tests.support.command_line import SWARM_HOST, popen, run, script
from tests.support.waiting import hold, wait_for, wait_for_end

STEPS = """
swarm.worker "step" { command = { "sh", "-c", "echo $1 >> ran", "sh", "{input}" } }
swarm.main(function(args)
  for n = 1, tonumber(args[1]) do swarm.call("step", n) end
  return "done"
end)
"""


@pytest.fixture
def steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a script whose steps leave something behind."""
    monkeypatch.chdir(tmp_path)
    script(tmp_path, STEPS)
    return tmp_path


def refused(path: str) -> str:
    """What is said of an audit with which no run begins."""
    done = run("--no-journal", "--audit", path, "script.lua", "3")
    assert (done.returncode, done.stdout) == (2, b""), done
    assert not Path("ran").exists()
    return done.stderr.decode()


def ended(done: subprocess.CompletedProcess[bytes]) -> str:
    """What is said of a run that ended because of its audit."""
    said = done.stderr.decode()
    assert (done.returncode, done.stdout) == (1, b""), done
    assert "Traceback" not in said
    return said


# Places -------------------------------------------------------------------------------------------


def test_a_place_where_nothing_can_be_written_is_refused(steps: Path) -> None:
    Path("folder").mkdir()
    assert "error: --audit " in refused("folder")
    assert f"{steps}/folder: it is a folder; name a file in it" in refused("folder")
    assert f"{steps}/none/a: no such file or directory" in refused("none/a")
    assert f"{steps}/script.lua/a: not a directory" in refused("script.lua/a")
    assert "file name too long" in refused("x" * 300)


def test_a_symbolic_link_is_refused_whatever_it_leads_to(steps: Path) -> None:
    Path("real").touch()
    for name, to in (("a", "real"), ("b", "none"), ("c", "c"), ("d", "/dev/null")):
        Path(name).symlink_to(to)
        assert f"{steps}/{name}: it is a symbolic link; name the file itself" in refused(name)
    assert Path("real").read_bytes() == b""
    assert not Path("none").exists()


def test_a_pipe_that_nobody_reads_is_refused(steps: Path) -> None:
    os.mkfifo("pipe")
    assert f"{steps}/pipe: nobody reads it; begin to read it first" in refused("pipe")


def test_a_pipe_takes_an_audit_that_its_reader_can_keep(steps: Path) -> None:
    os.mkfifo("pipe")
    with Path("kept").open("wb") as kept, subprocess.Popen(["cat", "pipe"], stdout=kept) as reader:
        done = run("--no-journal", "--audit", "pipe", "script.lua", "3")
        assert done.returncode == 0, done
        assert reader.wait(timeout=20) == 0
    assert verified(steps / "kept")["open"] is None
    assert len(of_type(steps / "kept", "task_created")) == 4


def test_a_pipe_whose_reader_goes_ends_the_run(steps: Path) -> None:
    os.mkfifo("pipe")
    with subprocess.Popen(["head", "-n", "4", "pipe"], stdout=subprocess.DEVNULL):
        said = ended(run("--no-journal", "--audit", "pipe", "script.lua", "100000"))
    assert f"error: the audit {steps}/pipe cannot be written: broken pipe" in said
    assert "The run has ended, so that nothing is done that is not in it; " in said


def test_a_full_device_ends_the_run_before_it_does_anything(steps: Path) -> None:
    said = ended(run("--no-journal", "--audit", "/dev/full", "script.lua", "3"))
    assert "the audit /dev/full cannot be written: no space left on device" in said
    assert not Path("ran").exists()


def test_a_file_that_others_may_write_is_refused(steps: Path) -> None:
    Path("a").touch(0o600)
    Path("a").chmod(0o622)
    assert f"{steps}/a: others may write it: chmod go-w {steps}/a" in refused("a")


@pytest.mark.parametrize(
    ("do", "why"),
    [
        (lambda text: b"no audit\n", "it is no line of an audit"),
        (lambda text: text[:-20], "it is torn: who wrote it was killed meanwhile"),
        (lambda text: text + b"\n", "it is no line of an audit"),
        (lambda text: text.replace(b'"status":"pass"', b'"status":"fail"'), "it was changed"),
        (
            lambda text: b"\n".join(text.split(b"\n")[:-3] + text.split(b"\n")[-2:]),
            "it does not follow the line before it",
        ),
        (lambda text: b"\0" * 1000, "it is torn"),
    ],
)
def test_what_cannot_be_gone_on_with_is_refused_and_stays(
    steps: Path, do: object, why: str
) -> None:
    assert run("--no-journal", "--audit", "a", "script.lua", "0").returncode == 0
    assert callable(do)
    before = do(Path("a").read_bytes())
    Path("a").write_bytes(before)
    said = refused("a")
    assert f"{steps}/a: it is there already, and no audit that could be gone on with: of" in said
    assert f"line, {why}" in said
    assert f"`swarm-host audit verify {steps}/a` looks at all of it; name another file" in said
    assert Path("a").read_bytes() == before


@pytest.mark.parametrize(
    "words",
    [
        ["resume", "./the j"],
        ["resume", "./the j", "--again", "--with", "script.lua"],
        ["rerun", "./the j", "--from", "T-2"],
    ],
)
def test_a_run_whose_audit_is_torn_goes_on_in_another_file_with_the_command_that_is_told(
    steps: Path, words: list[str]
) -> None:
    done = run("--journal", "the j", "--audit", "a", "script.lua", "1")
    assert done.returncode == 0, done
    Path("a").write_bytes(Path("a").read_bytes()[:-20])
    done = run(*words)
    assert (done.returncode, done.stdout) == (2, b"")
    said, _, command = done.stderr.decode().rstrip().partition("\ngo on in another file: ")
    assert f"--audit {steps}/a: it is there already, and no audit that could be gone on" in said
    assert command == f"swarm-host {shlex.join(words)} --audit FILE"
    done = run(*shlex.split(command)[1:])
    assert (done.returncode, done.stdout) == (0, b"done\n"), done
    assert verified(steps / "FILE")["runs"] == 1


def test_a_run_that_begins_is_told_of_no_command_to_go_on(steps: Path) -> None:
    Path("a").write_bytes(b"no audit\n")
    assert "go on in another file" not in refused("a")


def test_two_runs_do_not_write_one_file_at_once(steps: Path) -> None:
    script(steps, 'swarm.main(function() swarm.fs.write("up", "") swarm.sleep(600) end)', "b.lua")
    with popen("--no-journal", "--audit", "a", "b.lua") as process:
        wait_for(steps / "up")
        assert f"{steps}/a: another run writes it; name another file" in refused("a")
        process.terminate()
        assert process.wait(timeout=20) == 143
    assert verified(steps / "a")["runs"] == 1
    assert run("--no-journal", "--audit", "a", "script.lua", "0").returncode == 0
    assert verified(steps / "a")["runs"] == 2


def test_an_embedding_program_is_told_as_well(steps: Path) -> None:
    with pytest.raises(NoAudit, match="it is a folder"):
        Audit(steps)

    async def spoilt() -> None:
        async with Host.load("script.lua", Options(args=["3"], audit=Audit("/dev/full"))) as host:
            await host.run()

    with pytest.raises(SwarmError, match="no space left on device") as raised:
        anyio.run(spoilt)
    assert raised.value.error["code"] == "audit_error"
    assert not Path("ran").exists()


# While it runs ------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [100, 700, 3000, 20000])
def test_a_disk_that_fills_ends_the_run_and_leaves_whole_lines(steps: Path, size: int) -> None:
    """A limit of the size of files, in bytes, stands for the disk's end."""

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    done = subprocess.run(
        [*SWARM_HOST, "--no-journal", "--audit", "a", "script.lua", "1000"],
        capture_output=True,
        preexec_fn=limited,
        timeout=60,
        check=False,
    )
    said = ended(done)
    assert f"the audit {steps}/a cannot be written: file too large" in said
    text = Path("a").read_bytes()
    known = 0
    if text:
        found = verified(steps / "a")
        assert (
            f"{found['lines']} lines were written, the hash of the last is {found['head']}" in said
        )
        known = sum(row["name"] == "step" for row in of_type(steps / "a", "task_created"))
    begun = Path("ran").read_text().split() if Path("ran").exists() else []
    assert len(begun) <= known, "a program was started that the audit does not know of"
    assert size < 5000 or begun


HELD = """
swarm.worker "hold" { command = { "sh", "-c", "echo $$ > pid; exec sleep 600" } }
swarm.main(function() swarm.call("hold") end)
"""


def _replace() -> None:
    Path("folder/a").rename("folder/b")
    Path("folder/a").write_bytes(Path("folder/b").read_bytes())


def _remove_folder() -> None:
    Path("folder/a").unlink()
    Path("folder").rmdir()


def _write() -> None:
    with Path("folder/a").open("ab") as file:
        file.write(b'{"n":1}\n')


@pytest.mark.parametrize(
    ("do", "why"),
    [
        (lambda: Path("folder/a").unlink(), "it was removed"),
        (_remove_folder, "it was removed"),
        (_replace, "another file was put in its place"),
        (lambda: os.truncate("folder/a", 100), "it was cut off"),
        (_write, "it was written to by somebody else"),
    ],
)
def test_a_file_that_is_meddled_with_ends_a_run_though_it_only_waits(
    steps: Path, do: object, why: str
) -> None:
    script(steps, HELD, "held.lua")
    Path("folder").mkdir()
    with popen("--no-journal", "--audit", "folder/a", "held.lua") as process:
        hold(lambda: Path("pid").exists() and Path("pid").read_text().endswith("\n"))
        assert callable(do)
        do()
        said = process.communicate(timeout=20)[1].decode()
    assert process.returncode == 1
    assert f"the audit {steps}/folder/a is not what was written any more: {why}. The run" in said
    wait_for_end(int(Path("pid").read_text()))


def test_a_script_that_removes_it_ends_its_own_run(steps: Path) -> None:
    text = """
    swarm.worker "step" { command = { "touch", "ran" } }
    swarm.main(function() swarm.fs.remove("a") swarm.call("step") end)
    """
    script(steps, text, "remover.lua")
    assert "it was removed" in ended(run("--no-journal", "--audit", "a", "remover.lua"))
    assert not Path("ran").exists()


def test_a_run_that_is_killed_leaves_a_chain_that_knows_all_that_began(steps: Path) -> None:
    text = """
    swarm.worker "step" { command = { "sh", "-c", "echo $1 >> ran", "sh", "{input}" } }
    swarm.worker "count" { run = function(_, n) return n end }
    swarm.main(function()
      for n = 1, 10000 do
        swarm.call("count", n)
        if n % 100 == 0 then swarm.call("step", n) end
      end
    end)
    """
    script(steps, text, "many.lua")
    with popen("--no-journal", "--audit", "a", "many.lua") as process:
        hold(lambda: Path("ran").exists() and len(Path("ran").read_text().split()) >= 20)
        process.kill()
        process.wait(timeout=20)
    lines = Path("a").read_bytes()
    done = run("audit", "verify", "--json", "a")
    found = json.loads(done.stdout)
    if done.returncode:
        assert not lines.endswith(b"\n")
        assert "it is torn: who wrote it was killed meanwhile" in found["why"]
        Path("a").write_bytes(lines[: lines.rindex(b"\n") + 1])
    assert verified(steps / "a")["open"] == rows(steps / "a")[0]["run_id"]
    known = [row for row in of_type(steps / "a", "task_created") if row["name"] == "step"]
    begun = Path("ran").read_text().split()
    assert 20 <= len(begun) <= len(known) < 100
    assert run("--no-journal", "--audit", "a", "script.lua", "0").returncode == 0
    assert verified(steps / "a")["runs"] == 2


def test_nothing_of_ten_thousand_tasks_is_lost(steps: Path) -> None:
    text = """
    swarm.worker "w" { run = function(_, n) swarm.yield() return n end }
    swarm.main(function()
      local items = {}
      for n = 1, 10000 do items[n] = n end
      swarm.map("w", items)
    end)
    """
    script(steps, text, "many.lua")
    assert run("--no-journal", "--audit", "a", "many.lua").returncode == 0
    found = verified(steps / "a")
    created = of_type(steps / "a", "task_created")
    passed = {row["task_id"] for row in of_type(steps / "a", "task_pass")}
    assert found["lines"] == 2 * 10001 + 3
    assert {row["task_id"] for row in created} == passed
    assert len(passed) == 10001


def test_an_error_at_the_very_end_fails_a_run_that_had_passed(steps: Path) -> None:
    text = 'swarm.main(function() return "done" end)'
    script(steps, text, "short.lua")
    done = run("--no-journal", "--audit", "/dev/full", "short.lua")
    assert done.returncode == 1
    assert b"cannot be written: no space left on device" in done.stderr
