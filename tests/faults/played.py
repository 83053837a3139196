"""Programs that are played: pipes into which a test writes what it likes, cut as it likes."""

from __future__ import annotations

import fcntl
import os
import struct
import termios
from collections.abc import Mapping, Sequence

import anyio
import anyio.lowlevel

from swarm_host.ports.process.children import Child, Children, Exit

STUCK_SECONDS = 20.0
"""How long the host may leave a piece unread."""


class Played(Child):
    """A child of which there is no process: it writes its pieces, one read each, and ends well.

    :param pieces: what it writes to its standard output.
    """

    def __init__(self, pieces: Sequence[bytes]) -> None:
        self._pieces = pieces
        self._ended = anyio.Event()
        self._stopped = False
        self.pid = 1
        self.stdin = None
        self.stdout, self._out = os.pipe()
        self.stderr, self._err = os.pipe()
        self.end_of_input = b""
        for fd in (self.stdout, self.stderr, self._out):
            os.set_blocking(fd, False)

    async def started(self) -> None:
        pass

    async def exited(self) -> None:
        with anyio.fail_after(STUCK_SECONDS):
            for piece in self._pieces:
                left = memoryview(piece)
                while left and not self._stopped:
                    left = left[self.say(left) :]
                    await anyio.lowlevel.checkpoint()
                while self._unread() and not self._stopped:
                    await anyio.lowlevel.checkpoint()
        self._close_its()

    def say(self, data: bytes | memoryview) -> int:
        """Writes now what fits; returns how many bytes did."""
        try:
            return os.write(self._out, data)
        except BlockingIOError:
            return 0

    def _unread(self) -> int:
        assert self.stdout is not None
        packed = fcntl.ioctl(self.stdout, termios.FIONREAD, b"\0" * 4)
        return int(struct.unpack("i", packed)[0])

    def _close_its(self) -> None:
        for fd in (self._out, self._err):
            if fd >= 0:
                os.close(fd)
        self._out = self._err = -1

    async def end(self, kill_after: float) -> Exit:
        self._stopped = True
        self._close_its()
        return Exit(0, None)

    def kill(self) -> None:
        self._stopped = True

    def close(self) -> None:
        for fd in (self.stdout, self.stderr):
            if fd is not None:
                os.close(fd)
        self.stdout = self.stderr = None


class Stage(Children):
    """Starts played programs. The last argument says which.

    :param plays: what each writes.
    """

    def __init__(self, plays: Mapping[bytes, Sequence[bytes]]) -> None:
        super().__init__()
        self._plays = plays

    async def start(self, arguments: Sequence[bytes], **_: object) -> Child:
        return Played(self._plays[arguments[-1]])
