"""Where what a run says goes: prints, log entries, and events of the run.

Who names nobody for the log gets it as Python's own, from logger ``swarm_host``; what Python does
with it until an application says otherwise is to show warnings and errors on stderr.
"""

from __future__ import annotations

import json
import logging
import os
import select
import sys
from typing import Any

from swarm_host.entries import said_by, worker_of
from swarm_host.options import Options
from swarm_host.vm.steps import Said

_LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "error": logging.ERROR,
}


class Sinks:
    """Hands on what was said.

    :param options: who takes it.
    """

    def __init__(self, options: Options) -> None:
        self._options = options

    def take(self, said: Said) -> None:
        """Hands on what was said in a tick."""
        # Read anew each time: who runs a host may set these after it was made.
        write_log, write_events = self._options.write_log, self._options.write_events
        if said.out:
            (self._options.write_out or _write_stdout)(said.out)
        if said.log:
            for line in said.log.splitlines():
                (write_log or _log)(json.loads(line))
        if said.events and write_events is not None:
            write_events(said.events)

    def flush(self, out: object, log: object) -> None:
        """The same within a tick, for Lua."""
        if isinstance(out, bytes) and isinstance(log, bytes):
            self.take(Said(out, log, b""))

    def end(self, status: object, events: object) -> None:
        """Ends the process, with what it has started, once all that was said is handed on."""
        from swarm_host.ports.process import children  # costs start-up, and few scripts do this

        children.end_all()
        try:
            if isinstance(events, bytes):
                self.take(Said(b"", b"", events))
            if self._options.before_exit is not None:
                self._options.before_exit()
        finally:
            os._exit(int(status) if isinstance(status, float | int) else 1)


def _log(entry: dict[str, Any]) -> None:
    """Hands an entry to Python's logging; the record has it whole as ``swarm``."""
    if entry["level"] == "raw":
        sys.stderr.write(str(entry["message"]))
        sys.stderr.flush()
        return
    text = f"{worker_of(entry)}{said_by(entry)}"
    extra = {"swarm": entry}
    logging.getLogger("swarm_host").log(_LEVELS[entry["level"]], "%s", text, extra=extra)


def _write_stdout(out: bytes) -> None:
    file = sys.stdout.buffer
    left = memoryview(out)
    while left:
        try:
            # Unbuffered (PYTHONUNBUFFERED) it may take a part; one that does not wait, none.
            left = left[file.write(left) or 0 :]
            file.flush()
        except BlockingIOError as problem:
            left = left[problem.characters_written :]
            select.select([], [file], [])
