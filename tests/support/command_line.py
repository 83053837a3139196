"""What tests of the command line share: scripts, and runs of them."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SWARM_HOST = [sys.executable, "-m", "swarm_host"]

MAIN = "swarm.main(function(args, ctx) {} end)"


def run(
    *words: str | Path, stdin: bytes = b"", cwd: Path | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Runs swarm-host, without a terminal; a hang is a failure."""
    command = [*SWARM_HOST, *map(str, words)]
    done = subprocess.run(
        command, input=stdin, cwd=cwd, capture_output=True, timeout=60, start_new_session=True
    )
    assert b"Traceback" not in done.stderr, done.stderr.decode()
    return done


@contextmanager
def popen(*words: str | Path, stderr: int = subprocess.PIPE) -> Iterator[subprocess.Popen[bytes]]:
    """A run to talk to, without a terminal; it is ended with the block, whatever the test made of
    it."""
    command = [*SWARM_HOST, *map(str, words)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=stderr, start_new_session=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def untimed(said: bytes) -> bytes:
    """What was said on stderr, with a dash for the time of each log line."""
    return re.sub(rb"^\d\d:\d\d:\d\d ", b"- ", said, flags=re.MULTILINE)


def script(folder: Path, text: str, name: str = "script.lua") -> Path:
    """Writes a script."""
    path = folder / name
    path.write_text(text)
    return path
