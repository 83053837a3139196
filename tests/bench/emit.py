"""What it costs the program of a worker to say something."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from tests.bench.running import Result

BOUND = 1.5
PEER = [sys.executable, "-c", "import socket, json"]
OURS = [str(Path(sys.executable).with_name("swarm-host")), "worker", "emit", "reading", "file 1"]


def answer(listener: socket.socket) -> None:
    """Answers each client as a run does, and nothing else: what is measured is the program."""
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return  # it is closed
        with client:
            client.recv(65536)
            client.sendall(b'{"jsonrpc": "2.0", "id": 1, "result": null}\n')


def took(command: list[str], env: dict[str, str]) -> float:
    """Seconds of a command, from its start to its end."""
    began = time.perf_counter()
    subprocess.run(command, env=env, check=True)
    return time.perf_counter() - began


def emit(short: bool) -> Result:
    """`swarm-host worker emit` costs at most 1.5 times `python -c 'import socket, json'`."""
    rounds = 10 if short else 40
    with (
        tempfile.TemporaryDirectory() as folder,
        socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener,
    ):
        path = f"{folder}/run.sock"
        listener.bind(path)
        listener.listen()
        threading.Thread(target=answer, args=(listener,), daemon=True).start()
        env = {**os.environ, "SWARM_SOCKET": path, "SWARM_TOKEN": "swt1_" + "A" * 300}
        mine, theirs = [], []
        for _ in range(rounds):
            mine.append(took(OURS, env))
            theirs.append(took(PEER, env))
        listener.shutdown(socket.SHUT_RDWR)
    ratio = round(min(mine) / min(theirs), 2)
    return {
        "emit_ms": round(min(mine) * 1e3, 1),
        "python_ms": round(min(theirs) * 1e3, 1),
        "ratio": ratio,
        "ok": ratio <= BOUND * (2.0 if short else 1.0),
    }


BENCHMARKS = {"emit": emit}
