"""People who speak to a run from outside, and what of the run cannot pass for one."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from swarm_host.serving import addresses
from tests.serving.running import SECONDS, asked, listening, sent
from tests.support.command_line import SWARM_HOST, run, script

SLEEPER = """
swarm.worker "sleeper" { label = "for {input}", run = function(ctx, n)
  ctx:progress("asleep", "z z") swarm.sleep(n) return { slept = n }
end }
swarm.worker "picky" { run = function() return swarm.blocked("no", "nothing is good enough") end }
swarm.main(function() swarm.call("sleeper", 600) end)
"""


def test_a_person_sees_starts_reads_joins_and_cancels(tmp_path: Path) -> None:
    with listening(tmp_path, SLEEPER) as one:
        name = one.path.stem
        assert one.say("ps").startswith(f"{name}  {tmp_path}/run.lua  2 running  ")
        seen = one.say("ps", "last")
        assert f"run {name}" in seen
        assert "T-2 sleeper [for 600]" in seen
        assert seen.rstrip().endswith("  asleep: z z")
        assert "waits for a timer at" in seen
        rows = json.loads(one.say("ps", "--json", name[:5]))["rows"]
        assert [row["name"] for row in rows] == ["main", "sleeper"]
        task = one.say("spawn", "last", "sleeper", "0.01").strip()
        assert json.loads(one.say("join", "last", task)) == {"slept": 0.01}
        events = [
            json.loads(line) for line in one.say("tail", "-f", "--json", "last", task).splitlines()
        ]
        assert [event["type"] for event in events] == ["progress", "final"]
        task = one.say("spawn", "last", "sleeper", "500", "--label", "mine").strip()
        assert f"{task} sleeper [mine]" in one.say("ps", "last")
        assert one.say("cancel", "last", task, "enough") == ""
        assert "cancelled: enough" in one.say("join", "last", task, status=1)


def test_a_long_tail_comes_in_pieces_and_none_is_lost(tmp_path: Path) -> None:
    text = """
    swarm.main(function(_, ctx)
      for i = 1, 60 do
        ctx:artifact("a" .. i, ("x"):rep(100000))
        ctx:progress(i .. "")
      end
      swarm.sleep(600)
    end)
    """
    with listening(tmp_path, text) as one, one.connect() as client:
        while not one.say("ps", "last").rstrip().endswith("  60"):
            assert one.process.poll() is None
        events = [
            json.loads(line) for line in one.say("tail", "--json", "last", "T-1").splitlines()
        ]
        assert [event["seq"] for event in events] == list(range(1, 121))
        page = asked(client, "read_task_state", task_id="T-1", since=0)["result"]
        assert page["more"] is True
        assert 20 < len(page["events"]) < 30


def test_what_cannot_be_is_told(tmp_path: Path) -> None:
    with listening(tmp_path, SLEEPER) as one:
        assert "did you mean sleeper? (not_reg" in one.say("spawn", "last", "sleper", status=1)
        assert "there is no task" in one.say("join", "last", "T-99", status=1)
        of_sleeper = 'ended long since; did you mean T-2, worker "sleeper" [for 600]? ('
        for word in ("2", "t-2", "for 600", "sleeper"):
            assert of_sleeper in one.say("join", "last", word, status=1)
        assert "there is no task" in one.say("tail", "last", "nonsense", status=1)
        assert "there is no run nope; there are" in one.say("ps", "nope", status=1)
        for seconds in ("0.1", "0"):
            assert f"has not ended within {seconds} s: it is running" in one.say(
                "join", "last", "T-2", "--timeout", seconds, status=124
            )
        task = one.say("spawn", "last", "picky").strip()
        assert "is blocked: nothing is good enough" in one.say("join", "last", task, status=3)
        assert "has ended already" in one.say("cancel", "last", task, status=1)


def test_a_run_that_has_ended_says_so(tmp_path: Path) -> None:
    with listening(tmp_path, SLEEPER) as one:
        name = one.path.stem
        one.process.terminate()
        one.process.wait(timeout=SECONDS)
        assert f"run {name} ended at" in one.say("ps", name[:6], status=1)
        assert one.say("ps") == ""
        assert "no run of yours listens" in one.say("ps", "last", status=1)


def test_a_run_that_was_killed_is_found_out(tmp_path: Path) -> None:
    with listening(tmp_path, SLEEPER) as one:
        name = one.path.stem
        one.process.kill()
        one.process.wait(timeout=SECONDS)
        assert "no run of yours listens" in one.say("ps", "last", status=1)
        assert "it was killed" in one.say("ps", name, status=1)
        assert one.say("ps") == ""


def test_what_others_put_beside_the_runs_moves_no_cursor(tmp_path: Path) -> None:
    with listening(tmp_path, SLEEPER) as one:
        escape = "\x1b[2J"
        (one.folder / f"a{escape}.sock").touch()
        (one.folder / f"b{escape}.ended").write_text(f"well {escape}")
        assert escape not in one.say("ps")
        said = one.say("ps", f"b{escape}", status=1)
        assert "[2J" in said
        assert escape not in said


def test_two_runs_with_one_beginning_are_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    kept = [addresses.listen(addresses.folder() / f"ab{one}.sock") for one in "12"]
    with pytest.raises(addresses.NoRun, match="ab1, ab2"):
        addresses.find("ab")
    assert addresses.find("ab2").id == "ab2"
    for one in kept:
        one.close()


def test_a_path_that_exists_or_is_too_long_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.sock"
    path.write_text("mine")
    with pytest.raises(FileExistsError, match="is no socket"):
        addresses.listen(path)
    assert path.read_text() == "mine"
    one = addresses.listen(tmp_path / "b.sock")
    with pytest.raises(FileExistsError, match="somebody listens"):
        addresses.listen(tmp_path / "b.sock")
    one.close()
    addresses.listen(tmp_path / "b.sock").close()  # what a killed run left
    with pytest.raises(OSError, match="longer than"):
        addresses.listen(tmp_path / ("x" * 200))


def test_a_run_that_cannot_listen_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = tmp_path / ("x" * 100)
    deep.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(deep))
    done = run(script(tmp_path, "swarm.main(function() return 'done' end)"))
    assert done.stdout == b"done\n"
    assert b"nobody can speak to this run from outside: the path" in done.stderr


def test_only_its_user_can_connect(tmp_path: Path) -> None:
    with listening(tmp_path, SLEEPER) as one:
        assert one.path.stat().st_mode & 0o777 == 0o600
        assert one.folder.stat().st_mode & 0o777 == 0o700
        if os.geteuid() != 0:
            pytest.skip("another user can be tried by root alone")
        for way in (*one.path.parents, one.path):  # as if the rights of files were not there
            if way.stat().st_uid == 0 and way != Path("/"):
                way.chmod(way.stat().st_mode | 0o077)
        hears, tells = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.setuid(65534)
            client = socket.socket(socket.AF_UNIX)
            client.connect(str(one.path))
            os.write(tells, client.makefile("rb").readline())
            os._exit(0)
        os.waitpid(pid, 0)
        answer = json.loads(os.read(hears, 4096))
        assert "belongs to another user" in answer["error"]["message"]


WAYS = {
    "plain": "{ask}",
    "a session of its own": "setsid -w {ask}",
    "an empty environment": "env -i {ask}",
    "two forks": "(setsid sh -c '({ask} > {out} 2>&1; echo > {out}.done) &' &) ;"
    " while [ ! -e {out}.done ]; do sleep 0.05; done; cat {out}; true",
    "two forks, empty": "(env -i setsid /bin/sh -c '({ask} > {out} 2>&1; echo > {out}.done) &' &) ;"
    " while [ ! -e {out}.done ]; do sleep 0.05; done; cat {out}; true",
}


@pytest.mark.parametrize("way", WAYS)
def test_what_comes_of_the_run_is_no_person(tmp_path: Path, way: str) -> None:
    home, out = tmp_path / "home", tmp_path / "out"
    ask = (
        f'{sys.executable} -c "import socket,json;s=socket.socket(socket.AF_UNIX);'
        f"import glob;s.connect(glob.glob('{home}/swarm-host/*.sock')[0]);"
        "s.sendall(json.dumps(dict(method='start_task',params=dict(name='a'))).encode()+b'\\\\n');"
        'print(s.makefile().readline())"'
    ).replace("'", "'\\''" if "{ask}" in WAYS[way] and "sh -c '" in WAYS[way] else "'")
    command = WAYS[way].format(ask=ask, out=out)
    (tmp_path / "ask.sh").write_text(command)
    text = f"""
    swarm.worker "a" {{ command = {{ "sh", "{tmp_path}/ask.sh" }} }}
    swarm.main(function() return swarm.inspect(swarm.call "a") end)
    """
    home.mkdir()
    path = tmp_path / "run.lua"
    path.write_text(f'local swarm = require "swarm"\n{text}')
    done = subprocess.run(
        [*SWARM_HOST, str(path)],
        env={**os.environ, "XDG_RUNTIME_DIR": str(home)},
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert "it needs a token: whatever comes of the run is no person" in done.stdout, done


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"x\n", -32700),
        (b"[]\n", -32600),
        (b"{}\n", -32600),
        (b'{"method": 5}\n', -32600),
        (b'{"method": "ps", "params": []}\n', -32600),
        (b'{"method": "ps", "id": {}}\n', -32600),
        (b'{"method": "ps", "id": NaN}\n', -32600),
        (b'{"method": "start_tasks"}\n', -32000),
        (b'{"method": "start_task", "params": {"name": 5}}\n', -32000),
        (b'{"method": "poll_task", "params": {"token": "x"}}\n', -32000),
        (b"[" * 100000 + b"\n", -32700),
        (b"\xff\xfe\n", -32700),
        (b'{"method": "read_task_state", "params": {"since": 1e999}}\n', -32000),
    ],
)
def test_what_is_no_request_is_told(tmp_path: Path, line: bytes, code: int) -> None:
    with listening(tmp_path, SLEEPER) as one, one.connect() as client:
        assert sent(client, line)["error"]["code"] == code
        assert asked(client, "read_task_state")["result"]["counts"]["running"] == 2


def test_a_message_that_is_too_long_ends_its_connection(tmp_path: Path) -> None:
    with listening(tmp_path, SLEEPER) as one, one.connect() as client:
        piece = b"x" * 65536
        try:
            for _ in range(400):
                client.sendall(piece)
        except OSError:
            pass  # it is closed meanwhile
        with one.connect() as other:
            assert asked(other, "read_task_state")["result"]["counts"]["running"] == 2


def test_who_hangs_up_while_waiting_is_waited_for_no_longer(tmp_path: Path) -> None:
    with listening(tmp_path, SLEEPER) as one:
        for _ in range(20):
            with one.connect() as client:
                client.sendall(b'{"method": "poll_task", "params": {"task_id": "T-2"}}\n')
        assert one.say("cancel", "last", "T-2") == ""
        one.process.wait(timeout=SECONDS)


def test_many_at_once_and_slow_ones_do_no_harm(tmp_path: Path) -> None:
    with listening(tmp_path, SLEEPER) as one:
        slow = [one.connect() for _ in range(40)]
        for client in slow:
            client.send(b'{"meth')
        many: list[socket.socket] = []
        for _ in range(100):
            client = one.connect()
            client.sendall(b'{"id": 7, "method": "read_task_state"}\n')
            many.append(client)
        for client in many:
            answer = json.loads(client.makefile("rb").readline())
            assert answer["id"] == 7
        for client in (*slow, *many):
            client.close()
        assert "T-2 sleeper" in one.say("ps", "last")
