"""The keyboard of the controlling terminal, which is read without waiting, and the line that is
typed there.

While it is taken, keys come as they are typed and the terminal shows none of them: what is typed is
a part of the frame at the bottom, so that whatever is written meanwhile stands above it. Ctrl-C and
Ctrl-Z are signals as ever.
"""

from __future__ import annotations

import codecs
import os
import re
import signal
import termios
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

MOST_TYPED = 65536
"""Characters of a line; what is longer comes from an editor."""

_CHUNK = 65536
_KEYS = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|O.|[^\[O])", re.DOTALL)
"""Arrows and their like."""
_BEGUN = re.compile(r"\x1b(?:\[[0-?]*[ -/]*|O)?\Z")
_WORD = re.compile(r"\S*\s*\Z")


class HungUp(Exception):
    """The terminal is gone."""


class Keyboard:
    """The controlling terminal's.

    :raises OSError: there is none.
    :ivar fd: its descriptor.
    """

    def __init__(self) -> None:
        flags = os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC
        self.fd = os.open("/dev/tty", flags)
        self._lock = threading.RLock()  # who stops the process is in another thread
        self._before: list[Any] | None = None  # how the terminal was; None: it is not taken
        self._barred = False

    def close(self) -> None:
        """Gives it back for good."""
        with self._lock:
            self.bar(True)
            if self.fd >= 0:
                os.close(self.fd)
                self.fd = -1

    @property
    def is_in_front(self) -> bool:
        """Whether this process is in the foreground: who is not would be stopped for reading.

        :raises HungUp: there is no terminal any more.
        """
        try:
            return os.tcgetpgrp(self.fd) == os.getpgrp()
        except OSError:
            raise HungUp from None

    def take(self) -> bool:
        """Takes it, if it is not taken; what was typed before is dropped. False: it cannot be
        taken now.

        :raises HungUp: there is no terminal any more.
        """
        with self._lock:
            if self._barred or not self.is_in_front:
                return False
            if self._before is None:
                try:
                    before = termios.tcgetattr(self.fd)
                    ours = [*before[:6], [*before[6]]]
                    ours[3] &= ~(termios.ICANON | termios.ECHO | termios.ECHONL | termios.IEXTEN)
                    ours[3] |= termios.ISIG
                    ours[0] |= termios.ICRNL
                    ours[6][termios.VMIN], ours[6][termios.VTIME] = 1, 0
                    with _unstopped():
                        termios.tcsetattr(self.fd, termios.TCSANOW, ours)
                    self._before = before
                    self.drop_typed()
                except termios.error:
                    raise HungUp from None
            return True

    def let_go(self) -> None:
        """Gives it back: the terminal is as it was."""
        with self._lock:
            if self._before is not None:
                with _unstopped(), suppress(termios.error):  # there may be no terminal any more
                    termios.tcsetattr(self.fd, termios.TCSANOW, self._before)
                self._before = None

    def bar(self, barred: bool) -> None:
        """Gives it back, and has it not taken again until it is no longer barred."""
        with self._lock:
            self._barred = barred
            if barred:
                self.let_go()

    def drop_typed(self) -> None:
        """Drops what was typed and not read: it was meant for nothing that stands there now."""
        with suppress(termios.error), _unstopped():
            termios.tcflush(self.fd, termios.TCIFLUSH)

    def read(self) -> bytes:
        """What was typed; nothing where nothing was.

        :raises HungUp: there is no terminal any more.
        """
        with self._lock:
            if self._before is None:
                return b""
            try:
                with _unstopped():
                    data = os.read(self.fd, _CHUNK)
            except BlockingIOError:
                return b""
            except OSError:
                if not self.is_in_front:
                    return b""
                raise HungUp from None
            if not data:
                raise HungUp
            return data


@contextmanager
def _unstopped() -> Iterator[None]:
    """For the time of the block the terminal does not stop a process that is in the background."""
    stops = {signal.SIGTTIN, signal.SIGTTOU}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, stops)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class Typed(NamedTuple):
    """A line that is finished.

    :ivar text: the line; None: Ctrl-D.
    """

    text: str | None


class Line:
    """The line that is typed.

    :ivar text: as it stands.
    """

    def __init__(self) -> None:
        self.text = ""
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._begun = ""  # the beginning of a key

    def feed(self, data: bytes) -> Typed | None:
        """Takes keys. What follows a finished line is dropped: it was typed before anything else
        was asked."""
        text = self._begun + self._decode(data)
        begun = _BEGUN.search(text)
        self._begun = begun[0] if begun else ""
        text = _KEYS.sub("", text[: begun.start()] if begun else text)
        for one in text:
            if one in "\r\n":
                typed, self.text = Typed(self.text), ""
                return typed
            if one == "\x04" and not self.text:
                return Typed(None)
            self._key(one)
        return None

    def _key(self, one: str) -> None:
        if one in "\x7f\b":
            self.text = self.text[:-1]
        elif one == "\x15":  # Ctrl-U
            self.text = ""
        elif one == "\x17":  # Ctrl-W
            self.text = _WORD.sub("", self.text)
        elif one >= " " and not "\x7f" <= one < "\xa0" and len(self.text) < MOST_TYPED:
            self.text += one
