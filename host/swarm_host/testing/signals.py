"""Ctrl-C and SIGTERM while specs run: bytes in a pipe, which a wait can watch."""

from __future__ import annotations

import os
import signal
from types import TracebackType

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


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
        # A wake-up descriptor, not a lock: the system may hand a signal to any thread, and then
        # what the main thread waits for in a lock is not interrupted.
        self._words, self._tell = os.pipe()
        os.set_blocking(self._tell, False)
        os.set_blocking(self._words, False)

    def fileno(self) -> int:
        """What becomes readable once a signal came."""
        return self._words

    def read(self) -> signal.Signals | None:
        """The signal that came, or None where it was another one's."""
        try:
            words = os.read(self._words, 64)
        except BlockingIOError:
            return None
        for word in words:
            if word in _SIGNALS and self.received is None:
                self.received = signal.Signals(word)
                for number in _SIGNALS:
                    signal.signal(number, signal.SIG_DFL)
                return self.received
        return None

    def __enter__(self) -> Signals:
        self._before = signal.set_wakeup_fd(self._tell, warn_on_full_buffer=False)
        for number in _SIGNALS:
            signal.signal(number, lambda _number, _frame: None)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        signal.set_wakeup_fd(self._before)
        os.close(self._words)
        os.close(self._tell)
