"""Terminals for children that want one."""

from __future__ import annotations

import fcntl
import os
import struct
import termios

END_OF_INPUT = b"\x04\x04"
"""What a terminal takes for the end of the input: the first ends a line that was begun."""


class NoTerminal(OSError):
    """The system has none to give."""


def open_terminal(rows: int, columns: int) -> tuple[list[int | None], list[int]]:
    """Opens a terminal that gives back no input, and leaves ends of lines alone.

    :return: our ends of a child's streams, and its own.
    :raises NoTerminal: the system has none to give.
    """
    try:
        ours, its = os.openpty()
    except OSError as problem:
        raise NoTerminal(problem.errno, problem.strerror) from None
    try:
        os.set_blocking(ours, False)
        settings = termios.tcgetattr(its)
        settings[1] &= ~termios.ONLCR
        settings[3] &= ~termios.ECHO
        termios.tcsetattr(its, termios.TCSANOW, settings)
        fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        return [ours, ours, None], [its, os.dup(its), os.dup(its)]
    except BaseException:
        os.close(ours)
        os.close(its)
        raise
