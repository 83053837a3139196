"""Floods: messages that are none, clients without end, slow ones and silent ones. The run goes on,
and nothing is left of them.

SWARM_FRAMES is how many messages there are: some here, a million where one has the time.
"""

from __future__ import annotations

import json
import os
import random
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.serving.running import SECONDS, Listening, asked, bearing, listening

FRAMES = int(os.environ.get("SWARM_FRAMES", "2000"))
AT_ONCE = 50
SLEEPER = """
swarm.worker "w" { run = function() end }
swarm.main(function() swarm.sleep(600) end)
"""

VALUES: list[Any] = [
    None, True, 0, -1, 0.5, 2**53 + 1, 1e308, 10**400, "", "T-999", "T-", "T-1e9", "x\0y", "\ud800",
    "\U0001f600", [], {}, [None], {"": 1}, {"type": "final"}, {"type": "progress", "stage": "s"},
    {"type": "usage", "tokens": -1}, {"type": "partial", "value": [[[[]]]]}, "y" * 5000,
    json.loads("[" * 150 + "]" * 150),
]  # fmt: skip
METHODS = [
    "fetch_prompt", "fetch_data", "emit_output", "post_result", "verify_token", "start_task",
    "read_task_state", "mark_pass", "nonsense", "", "heartbeat", "detach_session",
    "inject_directive", "dispatch_attempt",
]  # fmt: skip
NAMES = [
    "name",
    "input",
    "label",
    "timeout",
    "event",
    "value",
    "blocked",
    "since",
    "attempt",
    "text",
]


def messages(chance: random.Random, token: str) -> Iterator[bytes]:
    """Messages, each a line: what could be one, and what has been changed since."""
    while True:
        params = {chance.choice(NAMES): chance.choice(VALUES) for _ in range(chance.randrange(4))}
        params["task_id"] = chance.choice(["T-999", "T-0", "", 7, None])
        if chance.random() < 0.5:
            del params["task_id"]
            params["token"] = token if chance.random() < 0.8 else token[: chance.randrange(99)]
        if chance.random() < 0.1:
            params["name"] = "w"
        message = {"jsonrpc": "2.0", "id": 1, "method": chance.choice(METHODS), "params": params}
        line = bytearray(json.dumps(message, ensure_ascii=chance.random() < 0.5).encode(
            errors="surrogatepass"
        ))  # fmt: skip
        for _ in range(chance.choice([0, 0, 0, 1, 2, 9])):
            line[chance.randrange(len(line))] = chance.randrange(256)
        yield bytes(line).replace(b"\n", b"\t")


def test_whatever_comes_is_answered_and_the_run_goes_on(tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    bears = bearing(tmp_path, "", 'swarm.worker "w" { run = function() end }')
    with bears as (one, token), one.connect() as client, client.makefile("rb") as answers:
        lines = messages(random.Random(seed), token)
        for _ in range(0, FRAMES, AT_ONCE):
            some = [line for _ in range(AT_ONCE) if (line := next(lines)).strip()]
            client.sendall(b"\n".join(some) + b"\n")
            for line in some:
                answer = json.loads(answers.readline())
                assert ("result" in answer) != ("error" in answer), (seed, line, answer)
                assert (answer.get("error") or {}).get("data", {}).get("code") != "internal", (
                    seed, line, answer,
                )  # fmt: skip
        with one.connect() as other:
            assert asked(other, "read_task_state")["result"]["counts"]["running"] == 2


def files_of(one: Listening) -> int:
    """How many are open, without the journal's: that begins when there is something to lose."""
    count = 0
    for link in Path("/proc", str(one.process.pid), "fd").iterdir():
        with suppress(FileNotFoundError):
            count += ".journal" not in str(link.readlink())
    return count


@contextmanager
def nothing_left(one: Listening) -> Iterator[None]:
    """After the block as many descriptors are open as before, and as much is at work."""
    with one.connect() as client:
        before = asked(client, "read_task_state")["result"]["counts"]
        files = files_of(one) if sys.platform == "linux" else 0
    yield
    end = time.monotonic() + SECONDS
    while True:
        with one.connect() as client:
            counts = asked(client, "read_task_state")["result"]["counts"]
            now = files_of(one) if sys.platform == "linux" else 0
        if now <= files and counts["live"] == before["live"]:
            return
        assert time.monotonic() < end, (files, now, before, counts)


def test_a_thousand_clients_at_once(tmp_path: Path) -> None:
    with listening(tmp_path, SLEEPER) as one, nothing_left(one):
        clients = []
        for number in range(1000):
            client = one.connect()
            message = {"id": number, "method": "start_task", "params": {"name": "w"}}
            client.sendall(json.dumps(message).encode() + b"\n")
            clients.append(client)
        for number, client in enumerate(clients):
            with client, client.makefile("rb") as answers:
                answer = json.loads(answers.readline())
                assert (answer["id"], "result" in answer) == (number, True)


def test_clients_that_go_in_the_middle_leave_nothing(tmp_path: Path) -> None:
    waits = b'{"method": "poll_task", "params": {"task_id": "T-1"}}\n'
    with listening(tmp_path, SLEEPER) as one, nothing_left(one):
        for data in (b"", b"{", waits, waits + b"{", waits * 3, waits[:-1], b"x" * 100_000):
            for _ in range(10):
                with one.connect() as client:
                    client.sendall(data)


def test_who_hangs_up_with_more_said_is_waited_for_no_longer(tmp_path: Path) -> None:
    waits = b'{"method": "poll_task", "params": {"task_id": "T-1"}}\n'
    with listening(tmp_path, SLEEPER) as one, nothing_left(one), one.connect() as client:
        client.sendall(waits * 2)
        with one.connect() as other:
            asked(other, "read_task_state")  # that one is served by now


def test_one_that_never_reads_holds_nobody(tmp_path: Path) -> None:
    text = """
    swarm.main(function(_, ctx) ctx:artifact("a", ("x"):rep(8000000)) swarm.sleep(600) end)
    """
    state = b'{"method": "read_task_state", "params": {"task_id": "T-1"}}\n'
    with listening(tmp_path, text) as one, nothing_left(one), ExitStack() as clients:
        for _ in range(5):
            silent = clients.enter_context(one.connect())
            silent.sendall(state * 2)
        with one.connect() as client:
            for _ in range(20):
                assert asked(client, "read_task_state")["result"]["counts"]["running"] == 1
        slow = clients.enter_context(one.connect())
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.sendall(state)
        answer = json.loads(read_line(slow))
        assert len(answer["result"]["events"][0]["content"]["value"]) == 8000000


def read_line(client: socket.socket) -> bytes:
    data = bytearray()
    while not data.endswith(b"\n"):
        data += client.recv(1_000_000)
    return bytes(data)


def test_with_few_descriptors_the_run_goes_on(tmp_path: Path) -> None:
    text = f"""
    swarm.worker "echo" {{ command = {{ "echo", "{{input}}" }} }}
    swarm.main(function()
      while not swarm.fs.stat("{tmp_path}/go") do swarm.sleep(0.01) end
      local all = {{}}
      for i = 1, 20 do all[i] = swarm.call("echo", i .. "").raw end
      swarm.fs.write("{tmp_path}/done", table.concat(all))
      swarm.sleep(600)
    end)
    """
    with listening(tmp_path, text, files=64) as one, ExitStack() as clients:
        for _ in range(100):
            clients.enter_context(one.connect()).sendall(b"{")
        (tmp_path / "go").write_text("")
        end = time.monotonic() + SECONDS
        while not (tmp_path / "done").exists():
            assert time.monotonic() < end, one.process.poll()
            time.sleep(0.01)
        clients.close()
        assert "running" in one.say("ps", "last")


@pytest.mark.parametrize("way", ["removed", "replaced", "with its folder"])
def test_a_socket_that_is_taken_away_ends_nothing(tmp_path: Path, way: str) -> None:
    with listening(tmp_path, SLEEPER) as one, one.connect() as client:
        path = one.path
        path.unlink()
        if way == "replaced":
            path.mkdir()
        elif way == "with its folder":
            path.parent.rmdir()
        assert asked(client, "read_task_state")["result"]["counts"]["running"] == 1
        asked(client, "cancel_task", task_id="T-1")
        assert one.process.wait(timeout=SECONDS) == 1
