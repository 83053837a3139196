"""What of the run does to pass for a person, and what is done to end or to hold the run."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import pytest

from swarm_host.serving import addresses
from tests.serving.running import SECONDS, Listening, asked, listening

ASKS = """
import glob, json, os, signal, socket, sys, time

def parent(pid):
    return int(open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[1])

def ask(path):
    s = socket.socket(socket.AF_UNIX)
    s.connect(glob.glob(path + "/*.sock")[0])
    s.sendall(json.dumps({"method": "start_task", "params": {"name": "a"}}).encode() + b"\\n")
    return json.loads(s.makefile().readline())["error"]["message"]

def tell(out, *said):
    with open(out + ".new", "w") as file:
        json.dump(said, file)
    os.rename(out + ".new", out)

def apart(*words):
    \"\"\"Goes on in a session of its own, as nobody's child, with an empty environment.\"\"\"
    if os.fork():
        time.sleep(60)
    os.setsid()
    if os.fork():
        os._exit(0)
    os.execve(sys.executable, [sys.executable, __file__, *map(str, words)], {})
"""

KILLS_THE_GUARDIAN = """
path, out = sys.argv[1:3]
if len(sys.argv) == 3:
    apart(path, out, os.getppid(), parent(os.getppid()))
starter, warden = map(int, sys.argv[3:])
os.kill(starter, signal.SIGSTOP)
os.kill(warden, signal.SIGKILL)
while parent(starter) == warden:
    pass
first = ask(path)
os.kill(starter, signal.SIGKILL)
while parent(os.getpid()) == starter:
    pass
tell(out, first, ask(path))
"""

IN_ANOTHER_NAMESPACE = """
path, out = sys.argv[1:3]
import ctypes
if ctypes.CDLL(None).unshare(0x10000000 | 0x20000000):  # of users, and of processes
    tell(out, "no namespaces")
    sys.exit()
if os.fork() == 0:
    tell(out, ask(path))
os.wait()
"""

HANGS_UP_AT_ONCE = """
path, out = sys.argv[1:3]
keeps, gets = socket.socketpair()
if os.fork():
    gets.close()
    s = socket.fromfd(socket.recv_fds(keeps, 1, 1)[1][0], socket.AF_UNIX, socket.SOCK_STREAM)
    os.wait()  # who has connected has ended
    s.sendall(b'{"method": "start_task", "params": {"name": "a"}}\\n')
    tell(out, json.loads(s.makefile().readline())["error"]["message"])
else:
    s = socket.socket(socket.AF_UNIX)
    s.connect(glob.glob(path + "/*.sock")[0])
    socket.send_fds(gets, [b"x"], [s.fileno()])
"""

HAS_A_SUBREAPER = """
path, out = sys.argv[1:3]
import ctypes
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
if len(sys.argv) == 3:
    apart(path, out, "again")
tell(out, ask(path))
"""

needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="it is about what Linux tells")


def told(path: Path, one: Listening) -> list[str]:
    """What an attacker has written, once it has."""
    end = time.monotonic() + SECONDS
    while not path.exists():
        assert time.monotonic() < end, one.process.poll()
        time.sleep(0.01)
    said: list[str] = json.loads(path.read_text())
    return said


@needs_linux
@pytest.mark.parametrize(
    "attack",
    [KILLS_THE_GUARDIAN, IN_ANOTHER_NAMESPACE, HANGS_UP_AT_ONCE, HAS_A_SUBREAPER],
    ids=["guardian", "namespace", "passed on", "subreaper"],
)
def test_nothing_makes_a_person_of_what_the_run_has_started(tmp_path: Path, attack: str) -> None:
    program, out, home = (tmp_path / name for name in ("attack.py", "out", "home/swarm-host"))
    program.write_text(ASKS + attack)
    text = f"""
    swarm.worker "a" {{ command = {{ "{sys.executable}", "{program}", "{home}", "{out}" }} }}
    swarm.main(function()
      pcall(swarm.call, "a", "x")
      swarm.sleep(600)
    end)
    """
    with listening(tmp_path, text) as one:
        said = told(out, one)
        if said == ["no namespaces"]:
            pytest.skip("this system makes no namespaces for its users")
        assert all("whatever comes of the run is no person" in message for message in said), said


POLL = b'{"method": "poll_task", "params": {"task_id": "T-1"}}\n'
SLEEPER = "swarm.main(function() swarm.sleep(600) end)"


def test_who_hangs_up_with_an_answer_unread_ends_its_own_request_alone(tmp_path: Path) -> None:
    with listening(tmp_path, SLEEPER) as one:
        client = one.connect()
        client.sendall(b'{"method": "read_task_state"}\n')
        assert client.recv(1)  # it is there, and most of it is left
        client.sendall(POLL)
        client.close()
        with one.connect() as other:
            assert asked(other, "read_task_state")["result"]["counts"]["running"] == 1


def test_a_flood_of_nothing_does_not_hold_the_run(tmp_path: Path) -> None:
    with listening(tmp_path, SLEEPER) as one:
        pid = os.fork()
        if pid == 0:
            client = one.connect()
            while True:
                client.sendall(b"\n" * 1_000_000)
        try:
            for _ in range(3):
                with one.connect() as other:
                    assert "result" in asked(other, "read_task_state")
        finally:
            os.kill(pid, 9)
            os.waitpid(pid, 0)


def test_a_folder_that_leads_elsewhere_or_is_open_to_all_is_not_listened_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    folder = tmp_path / "swarm-host"
    folder.symlink_to("elsewhere")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    with pytest.raises(PermissionError, match="is no folder of yours"):
        addresses.folder()
    folder.unlink()
    folder.mkdir()
    folder.chmod(0o777)
    assert addresses.folder().stat().st_mode & 0o777 == 0o700


def test_the_note_of_an_end_goes_nowhere_else(tmp_path: Path) -> None:
    with listening(tmp_path, SLEEPER) as one:
        path = one.path
        (tmp_path / "mine").write_text("as it was")
        path.with_suffix(".ended").symlink_to(tmp_path / "mine")
        one.process.terminate()
        one.process.wait(timeout=SECONDS)
        assert (tmp_path / "mine").read_text() == "as it was"
        assert not path.with_suffix(".ended").is_symlink()
        assert "ended at" in one.say("ps", path.stem, status=1)
