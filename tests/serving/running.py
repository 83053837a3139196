"""A run that listens, in a folder of the test's own, and who speaks to it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.command_line import SWARM_HOST

SECONDS = 20.0


class Listening:
    """A run that listens.

    :param process: the host.
    :param home: where runs of the test listen (``XDG_RUNTIME_DIR``); its script is beside it.
    :ivar script: its path.
    """

    def __init__(self, process: subprocess.Popen[bytes], home: Path) -> None:
        self.process = process
        self.home = home
        self.folder = home / "swarm-host"
        self.script = str(home.with_name("run.lua"))

    @property
    def path(self) -> Path:
        """Its socket, once it listens."""
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            for path in self.folder.glob("*.sock") if self.folder.is_dir() else ():
                return path
            assert self.process.poll() is None, self.process.communicate()
            time.sleep(0.01)
        raise AssertionError("it does not listen")

    def say(self, *words: str, status: int = 0) -> str:
        """What ``swarm-host`` says, of a process that is no child of the run's."""
        done = self.done(*words)
        assert done.returncode == status, done
        return done.stdout if status == 0 else done.stderr

    def done(self, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """How it ends."""
        process = self.begun(*words)
        out, err = process.communicate(stdin.encode(), timeout=SECONDS)
        return subprocess.CompletedProcess(words, process.returncode, out.decode(), err.decode())

    def begun(self, *words: str) -> subprocess.Popen[bytes]:
        """One that goes on."""
        return subprocess.Popen(
            [*SWARM_HOST, *words],
            env={**os.environ, "XDG_RUNTIME_DIR": str(self.home)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def heard(self, words: str) -> str:
        """What it says on stderr up to some words."""
        said = ""
        assert self.process.stderr is not None
        while words not in said:
            line = self.process.stderr.readline().decode()
            assert line, f"it did not say {words!r}: {said}"
            said += line
        return said

    def connect(self) -> socket.socket:
        """A connection of the test's own."""
        client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        client.settimeout(SECONDS)
        end = time.monotonic() + SECONDS
        while True:
            try:
                client.connect(str(self.path))
            except ConnectionRefusedError:  # its socket has its name, and does not listen yet
                assert time.monotonic() < end
            else:
                return client


def asked(client: socket.socket, method: str, **params: Any) -> dict[str, Any]:
    """Asks, and returns the answer, whatever it is."""
    message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    return sent(client, json.dumps(message).encode() + b"\n")


def sent(client: socket.socket, data: bytes) -> dict[str, Any]:
    """Sends bytes, and returns the next answer."""
    client.sendall(data)
    said = b""
    while not said.endswith(b"\n"):
        more = client.recv(65536)
        assert more, "it has closed the connection"
        said += more
    answer: dict[str, Any] = json.loads(said)
    return answer


@contextmanager
def listening(
    tmp_path: Path, text: str, *words: str, files: int | None = None, piped: bool = False
) -> Iterator[Listening]:
    """Runs a script until the block ends.

    :param words: what stands before it on the command line.
    :param files: how many descriptors it may have.
    :param piped: the script comes through a pipe.
    """
    path, home = tmp_path / "run.lua", tmp_path / "home"
    home.mkdir()
    path.write_text(f'local swarm = require "swarm"\n{text}')
    limit = [] if files is None else ["sh", "-c", f'ulimit -n {files}; exec "$@"', "sh"]
    command = [*limit, *SWARM_HOST, *words, str(path)]
    if piped:
        command = ["bash", "-c", 'exec "${@:1:$#-1}" <(cat "${@: -1}")', "bash", *command]
    process = subprocess.Popen(
        command,
        env={**os.environ, "XDG_RUNTIME_DIR": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    run = Listening(process, home)
    try:
        assert run.path
        yield run
    finally:
        process.terminate()
        if process.stdout is not None and not process.stdout.closed:
            process.communicate(timeout=SECONDS)


@contextmanager
def bearing(
    tmp_path: Path, caveats: str, body: str = "", *, words: tuple[str, ...] = ()
) -> Iterator[tuple[Listening, str]]:
    """A run, and the token of a worker of it, an operator of which these caveats leave a part.

    :param words: what stands before the script on the command line.
    """
    text = f"""
    {body}
    swarm.worker "holder" {{ role = "operator", run = function(ctx)
      swarm.fs.write("{tmp_path}/new", ctx:token {{ {caveats} }})
      swarm.fs.write("{tmp_path}/written", "")
      swarm.sleep(1e6)
    end }}
    swarm.main(function() pcall(swarm.call, "holder") swarm.sleep(1e6) end)
    """
    with listening(tmp_path, text, *words) as one:
        end = time.monotonic() + SECONDS
        while not (tmp_path / "written").exists():
            assert time.monotonic() < end, one.process.poll()
        yield one, (tmp_path / "new").read_text()
