"""Ctrl-C and SIGTERM while specs run: bytes in a pipe, which a wait can watch."""

from __future__ import annotations

import os
import signal
import time
from types import TracebackType

from swarm_host.ports import children

_SIGNALS = (signal.SIGINT, signal.SIGTERM)

BOUNCE_SECONDS = 0.1
"""Signals this close to the first are the same one, which ``timeout`` sends twice."""


class Interrupted(Exception):
    """A signal came.

    :ivar signal: which.
    :ivar held: Lua did not give control back, and its thread was left behind.
    """

    def __init__(self, received: signal.Signals, held: bool = False) -> None:
        super().__init__(received.name)
        self.signal = received
        self.held = held


class Signals:
    """Keeps the signals for the time of a ``with`` block, in the main thread.

    :ivar received: the first that came, or None. A second one ends the process at once.
    """

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self._came_at = 0.0
        # A wake-up descriptor, not a lock: the system may hand a signal to any thread, and then
        # what the main thread waits for in a lock is not interrupted.
        self._words, self._tell = os.pipe()
        os.set_blocking(self._tell, False)
        os.set_blocking(self._words, False)

    def fileno(self) -> int:
        """What becomes readable once a signal came."""
        return self._words

    def read(self) -> signal.Signals | None:
        """The first signal where it has come just now. A later one, and the end of the terminal,
        end the process, with all that specs have started."""
        try:
            words = os.read(self._words, 64)
        except BlockingIOError:
            return None
        first = None
        for word in words:
            now = time.monotonic()
            if word == signal.SIGHUP:
                children.end_by(signal.SIGHUP)
            elif word in _SIGNALS and self.received is None:
                first = self.received = signal.Signals(word)
                self._came_at = now
            elif word in _SIGNALS and now - self._came_at > BOUNCE_SECONDS:
                children.end_by(signal.Signals(word))
        return first

    def let_go(self) -> None:
        """Nobody reads any more: from now on a signal ends the process by itself."""
        for number in self._taken:
            signal.signal(number, signal.SIG_DFL)

    def __enter__(self) -> Signals:
        self._before = signal.set_wakeup_fd(self._tell, warn_on_full_buffer=False)
        ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN  # by nohup
        self._taken = _SIGNALS if ignored else (*_SIGNALS, signal.SIGHUP)
        for number in self._taken:
            signal.signal(number, lambda _number, _frame: None)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.let_go()
        signal.set_wakeup_fd(self._before)
        os.close(self._words)
        os.close(self._tell)
