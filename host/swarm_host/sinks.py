"""Where what a run says goes: prints, log entries, and events of the run."""

from __future__ import annotations

import json
import sys

from swarm_host.options import Options
from swarm_host.vm.kernel import Said


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
        if said.log and write_log is not None:
            for line in said.log.splitlines():
                write_log(json.loads(line))
        if said.events and write_events is not None:
            write_events(said.events)

    def flush(self, out: object, log: object) -> None:
        """The same within a tick, for Lua."""
        if isinstance(out, bytes) and isinstance(log, bytes):
            self.take(Said(out, log, b""))


def _write_stdout(out: bytes) -> None:
    sys.stdout.buffer.write(out)
    sys.stdout.buffer.flush()
