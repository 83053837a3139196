"""The command line: ``swarm-host [OPTIONS] SCRIPT [ARGS...]``."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

__all__ = ["main"]


def main(**settings: object) -> None:
    """Runs the command that the process was started with."""
    # First of all, and before what takes long to import.
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _leave)
    _mend_what_was_inherited()

    from swarm_host.cli.commands import main as commands

    commands(**settings)


def _leave(number: int, _frame: FrameType | None) -> None:
    """Until a run keeps the signals they end the process, without a word of Python's."""
    os._exit(128 + number)


def _mend_what_was_inherited() -> None:
    """Where children are ignored the system forgets how they ended. Where a standard stream is
    closed the next file that is opened would be taken for it: what is written to a closed stdout
    fails, and a closed stderr is somebody's wish to hear nothing."""
    if signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for fd, mode in ((0, os.O_RDONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, mode)  # takes the lowest number that is free: this one
    if sys.stderr is None:
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115 - to the process's end
