"""Ctrl-C, SIGTERM and what else ends a process: bytes in a pipe, which the main thread waits for.

Nothing in the main thread runs while Lua holds it, and signal handlers run in the main thread only:
so Lua must not be there, and who is there waits here. The first signal asks for an end in order, a
second one ends the process.
"""

from __future__ import annotations

import atexit
import os
import select
import signal
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from types import TracebackType
from typing import NoReturn, Protocol

_ENDS = (signal.SIGINT, signal.SIGTERM)

_FATAL = frozenset(
    getattr(signal, f"SIG{name}")
    for name in (
        *("QUIT", "USR1", "USR2", "ALRM", "VTALRM", "PROF", "ABRT", "XCPU"),
        *("IO", "PWR", "STKFLT"),  # not every system has these
    )
    if hasattr(signal, f"SIG{name}")
)
"""Who handles none of these is ended, and leaves behind what it has started. Those that tell of a
fault of the process itself are not among them: a handler would return to the fault."""

BOUNCE_SECONDS = 0.1
"""Signals this close to the first are the same one: ``timeout`` sends its signal to the process and
then to its group, so that it comes twice."""


class Interrupted(Exception):
    """A signal came.

    :ivar signal: which.
    :ivar held: Lua did not give control back, and its thread was left behind.
    :ivar holder: who had control then, and in what; None: nobody has said it.
    """

    def __init__(self, received: signal.Signals, held: bool = False) -> None:
        super().__init__(received.name)
        self.signal = received
        self.held = held
        self.holder: str | None = None


class HasFileno(Protocol):
    """What :meth:`Signals.wait` can wait for beside signals."""

    def fileno(self) -> int: ...


class Signals:
    """Keeps the signals for the time of a ``with`` block, in the main thread.

    :param on_second: called for a second signal; None: it ends the process, and what was started.
    :param on_hangup: called for SIGHUP, the end of the terminal; None: that ends the process, and
        what was started, which would outlive the terminal.
    :param before_quit: called for SIGQUIT, before that ends the process, and what was started.
    :param before_end: called for each other signal that ends the process, before it does: the
        terminal is given back.
    :param on_stop: a context for SIGTSTP: within it the process is stopped, as Ctrl-Z has it; None:
        that stops it as it is.
    :param to_the_end: after the block nothing is left but the end of the process: a signal that
        comes then ends it with the status that belongs to it, and not as if nobody handled it.
    :ivar received: the first SIGINT or SIGTERM, or None.
    """

    def __init__(
        self,
        on_second: Callable[[signal.Signals], object] | None = None,
        on_hangup: Callable[[], object] | None = None,
        before_quit: Callable[[], object] | None = None,
        on_stop: Callable[[], AbstractContextManager[None]] | None = None,
        *,
        before_end: Callable[[], object] | None = None,
        to_the_end: bool = False,
    ) -> None:
        self.received: signal.Signals | None = None
        self._on_second = on_second or _end_by
        self._on_hangup = on_hangup
        self._before_quit = before_quit
        self._before_end = before_end
        self._on_stop = on_stop
        self._to_the_end = to_the_end
        self._is_first = os.getpid() == 1  # in a container: who is orphaned becomes ours
        self._came_at = 0.0
        # A wake-up descriptor, not a lock nor a queue: the system may hand a signal to any thread,
        # and then what the main thread waits for in a lock is not interrupted.
        self._words, self._tell = os.pipe()
        os.set_blocking(self._tell, False)
        os.set_blocking(self._words, False)

    def wait(self, other: HasFileno | None, seconds: float | None) -> tuple[bool, bool]:
        """Waits for a signal, for something else, or for some time.

        :param other: the other thing, if there is one.
        :param seconds: the time; None: without end.
        :return: whether the first signal has come just now, and whether the other is ready.
        """
        end = None if seconds is None else time.monotonic() + seconds
        both = [self._words] if other is None else [self._words, other.fileno()]
        while True:
            left = None if end is None else max(end - time.monotonic(), 0)
            ready = select.select(both, [], [], left)[0]
            came = self._words in ready and self._read()
            is_ready = other is not None and other.fileno() in ready
            if came or is_ready or not ready:
                return came, is_ready

    def _read(self) -> bool:
        came = False
        for word in os.read(self._words, 64):
            now = time.monotonic()
            if word == signal.SIGHUP:
                (self._on_hangup or self._hang_up)()
            elif word in _ENDS and self.received is None:
                self.received, self._came_at, came = signal.Signals(word), now, True
            elif word in _ENDS and now - self._came_at > BOUNCE_SECONDS:
                self._on_second(signal.Signals(word))
            elif word == signal.SIGCHLD:
                _reap()
            elif word == signal.SIGTSTP and self._on_stop is not None:
                with self._on_stop():
                    _stop()
            elif word in _FATAL:
                self._end(signal.Signals(word))
        return came

    def _hang_up(self) -> None:
        self._end(signal.SIGHUP)

    def _end(self, word: signal.Signals) -> None:
        before = self._before_quit if word == signal.SIGQUIT else self._before_end
        if before is not None:
            before()
        _end_by(word)

    def let_go(self) -> None:
        """Nobody reads any more: from now on a signal ends the process by itself."""
        for number in self._taken:
            signal.signal(number, signal.SIG_DFL)

    def __enter__(self) -> Signals:
        self._before = signal.set_wakeup_fd(self._tell, warn_on_full_buffer=False)
        # What is ignored from the start (nohup) stays so, where it is no news.
        ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN and self._on_hangup is None
        self._taken = [*_ENDS] if ignored else [*_ENDS, signal.SIGHUP]
        self._taken += [one for one in _FATAL if signal.getsignal(one) is signal.SIG_DFL]
        if self._on_stop is not None and signal.getsignal(signal.SIGTSTP) is signal.SIG_DFL:
            self._taken.append(signal.SIGTSTP)
        if self._is_first:
            self._taken.append(signal.SIGCHLD)
        for number in self._taken:
            signal.signal(number, _wakes)
        if self._is_first:
            _reap()  # who was orphaned before anybody listened
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._to_the_end:
            for number in self._taken:
                signal.signal(number, _leave)
            atexit.register(self._ignore)
        else:
            self.let_go()
        signal.set_wakeup_fd(self._before)
        os.close(self._words)
        os.close(self._tell)

    def _ignore(self) -> None:
        """The interpreter takes its handlers away as it ends: what comes then is too late."""
        for number in self._taken:
            signal.signal(number, signal.SIG_IGN)


def _leave(number: int, _frame: object) -> None:
    """There is nothing left to clean up."""
    if number not in (signal.SIGCHLD, signal.SIGTSTP):
        os._exit(128 + number)


def _wakes(_number: int, _frame: object) -> None:
    """The byte in the pipe is all."""


def _stop() -> None:
    """Stops the process until it is continued; where nobody could continue it, not at all."""
    signal.signal(signal.SIGTSTP, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGTSTP)
    signal.signal(signal.SIGTSTP, _wakes)


def _reap() -> None:
    from swarm_host.ports.process import children

    children.reap_orphans()


def _end_by(number: signal.Signals) -> None:
    from swarm_host.ports.process import children  # costs start-up, and few runs need it

    children.end_by(number)


def end_at_once(status: int, last_words: Callable[[], object]) -> NoReturn:
    """Ends the process, and what was started, where threads are left that do not end.

    :param last_words: called in between.
    """
    with suppress(Exception):  # memory may be short; where this is new nothing was started yet
        from swarm_host.ports.process import children

        children.end_all()
    with suppress(Exception):
        last_words()
    os._exit(status)
