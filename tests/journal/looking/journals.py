"""Runs that leave journals, and what is said of them."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.command_line import SWARM_HOST, run, script

SECONDS = 20.0
_WHEN = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d|(?<= )\d+ s\b|\d\d:\d\d:\d\d(?= )")


class Journals:
    """The journals of one test.

    :param folder: where its scripts lie.
    :ivar place: where the journals lie.
    :ivar home: where its runs listen.
    """

    def __init__(self, folder: Path, place: Path, home: Path) -> None:
        self.folder = folder
        self.place = place
        self.home = home

    def ran(self, text: str, *words: str, name: str = "script.lua", status: int = 0) -> str:
        """Runs a script, and returns the run's id."""
        before = set(self.ids())
        done = run(*words, script(self.folder, text, name).name, cwd=self.folder)
        assert done.returncode == status, done.stderr.decode()
        [new] = set(self.ids()) - before
        return new

    def ids(self) -> list[str]:
        """The ids of the runs that have left journals."""
        return [path.stem for path in self.place.glob("*.journal")]

    def path(self, run_id: str) -> Path:
        """Where the journal of a run is."""
        return self.place / f"{run_id}.journal"

    def said(self, *words: str | Path, status: int = 0) -> str:
        """What a command says: on stdout where it ends well, else on stderr."""
        done = run(*words, cwd=self.folder)
        assert done.returncode == status, done
        return (done.stderr if status else done.stdout).decode()

    def error(self, *words: str | Path) -> str:
        """The error with which a command ends."""
        kind, _, said = self.said(*words, status=1).partition(": ")
        assert kind.lower() == "error"
        return said.removesuffix("\n")

    def lines(self, *words: str, status: int = 0) -> list[str]:
        """The same in lines, with a dash for each time."""
        return _WHEN.sub("-", self.said(*words, status=status)).splitlines()

    def objects(self, *words: str) -> list[dict[str, Any]]:
        """The JSON objects that a command says, one a line."""
        return [json.loads(line) for line in self.said(*words, "--json").splitlines()]

    @contextmanager
    def running(self, text: str, args: Sequence[str] = ()) -> Iterator[subprocess.Popen[bytes]]:
        """A run that goes on, once there is something in its journal."""
        before = set(self.ids())
        command = [*SWARM_HOST, str(script(self.folder, text, "goes_on.lua")), *args]
        pipe = subprocess.PIPE
        with subprocess.Popen(command, cwd=self.folder, stdout=pipe, stderr=pipe) as process:
            try:
                self.until(
                    lambda: any(
                        one["run_id"] not in before and one.get("counts")
                        for one in self.objects("runs")
                    )
                )
                yield process
            finally:
                process.kill()

    def until(self, happened: Any) -> None:
        """Waits until something has happened."""
        end = time.monotonic() + SECONDS
        while not happened():
            assert time.monotonic() < end, "it does not happen"
            time.sleep(0.01)
