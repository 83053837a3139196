"""The command line: ``swarm-host [OPTIONS] SCRIPT [ARGS...]``."""

from __future__ import annotations

# What the module signal is made of, which is there at once. In a short run half of the time goes
# into imports, and a Ctrl-C meanwhile must not show where in them it came.
import _signal  # type: ignore[import-not-found]
import atexit
import errno
import os
import sys
from contextlib import suppress

__all__ = ["main"]

_UNWRITABLE = (errno.ENOSPC, errno.EPIPE, errno.EIO, errno.EBADF)


def main(**settings: object) -> None:
    """Runs the command that the process was started with."""
    keep_signals()
    _mend_what_was_inherited()

    if sys.argv[1:2] == ["worker"]:  # without all that a run needs
        from swarm_host.cli.calls.worker import main as worker

        _end(worker(sys.argv[2:]))

    from swarm_host.cli.commands import do

    try:
        _end(do(**settings))
    except SystemExit as over:
        if over.code is None or isinstance(over.code, int):
            _end(over.code or 0)
        raise
    except OSError as problem:
        if problem.errno not in _UNWRITABLE:
            raise
        _unwritten(problem)
        os._exit(1)


def _end(status: int) -> None:
    """Ends the process, once all that was said and asked for is done. The interpreter would take
    all modules and the VM apart first, which is a tenth of a short run."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError as problem:
        _unwritten(problem)
        status = status or 1
    atexit._run_exitfuncs()
    os._exit(status)


def _unwritten(problem: OSError) -> None:
    from swarm_host.view.outlet import reason

    with suppress(OSError):
        os.write(2, f"error: standard output cannot be written: {reason(problem)}\n".encode())


def keep_signals() -> None:
    """Until a run keeps the signals they end the process, without a word of Python's."""
    for number in (_signal.SIGINT, _signal.SIGTERM):
        if _signal.getsignal(number) != _signal.SIG_IGN:
            _signal.signal(number, _leave)


def _leave(number: int, _frame: object) -> None:
    os._exit(128 + number)


def _mend_what_was_inherited() -> None:
    """Where children are ignored the system forgets how they ended. Where a standard stream is
    closed the next file that is opened would be taken for it: what is written to a closed stdout
    fails, and a closed stderr is somebody's wish to hear nothing."""
    if _signal.getsignal(_signal.SIGCHLD) == _signal.SIG_IGN:
        _signal.signal(_signal.SIGCHLD, _signal.SIG_DFL)
    for fd, mode in ((0, os.O_RDONLY), (1, os.O_RDONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, mode)  # takes the lowest number that is free: this one
    if sys.stderr is None:
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115 - to the process's end
