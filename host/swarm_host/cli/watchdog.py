"""Ctrl-C and SIGTERM: the main thread's part of a run.

One signal cancels the run, and clean-up takes the time it takes. A second one ends the process at
once, and so does Lua that does not give control back: nothing but the end of the process stops it.
"""

from __future__ import annotations

import asyncio
import os
import select
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, NoReturn

from swarm_host.host import Host
from swarm_host.ports import children
from swarm_host.view.screen import Screen

if TYPE_CHECKING:
    from swarm_host.holder import Turn

HELD_SECONDS = 3.0
"""How long after a signal Lua may keep control within one turn of a worker."""

LOOK_SECONDS = 0.25
"""How often the watchdog looks, once a signal came."""

BOUNCE_SECONDS = 0.1
"""Signals this close to the first are the same one: ``timeout`` sends its signal to the process and
then to its group, so that it comes twice."""

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_OVER = 0
_ADVICE = "What computes for long must call swarm.yield() now and then; there it hears a cancel."


def _nothing(*_: object) -> None:
    """There is no run yet."""


class Watchdog:
    """Keeps the signals of a run, in the main thread.

    :param screen: where the last words go.
    :param takes_hangup: SIGHUP is news for the run instead of its end.
    :ivar received: the first signal that came, or None.
    """

    def __init__(self, screen: Screen, *, takes_hangup: bool = False) -> None:
        self.received: signal.Signals | None = None
        self._takes_hangup = takes_hangup
        self._screen = screen
        # Bytes: a signal's number, or _OVER. Not a lock, nor a queue: the system may hand a signal
        # to any thread, and then what the main thread waits for in a lock is not interrupted.
        self._words, self._tell = os.pipe()
        os.set_blocking(self._tell, False)
        self._run: tuple[asyncio.AbstractEventLoop, Host] | None = None
        self._cancel_run: Callable[[str], object] = _nothing
        self._on_hangup: Callable[[], object] = _nothing
        self._came_at = 0.0
        # What was seen of the turn under way, and since when the loop owes an answer.
        self._turn: Turn | None = None
        self._looked_at = 0.0
        self._held = 0.0
        self._answered = True

    def attach(
        self,
        loop: asyncio.AbstractEventLoop,
        host: Host,
        cancel: Callable[[str], object],
        on_hangup: Callable[[], object],
    ) -> None:
        """There is a run to cancel from now on. Afterwards look at :attr:`received`.

        :param cancel: cancels the run, and takes the reason; it is called in the loop.
        :param on_hangup: called in the loop for each SIGHUP, where that is taken.
        """
        self._cancel_run, self._on_hangup = cancel, on_hangup
        self._run = loop, host

    def over(self) -> None:
        """The run is over, and :meth:`wait` returns. For the run's thread."""
        os.write(self._tell, bytes([_OVER]))

    def wait(self) -> None:
        """Waits until the run is over. It may end the process instead."""
        before = signal.set_wakeup_fd(self._tell, warn_on_full_buffer=False)
        # What is ignored from the start (nohup) stays so, where it is no news.
        ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN and not self._takes_hangup
        taken = _SIGNALS if ignored else (*_SIGNALS, signal.SIGHUP)
        for number in taken:
            signal.signal(number, lambda _number, _frame: None)
        while (word := self._next_word()) is None:
            pass
        if word != _OVER:
            self._cancel(signal.Signals(word))
            self._watch()
        for number in taken:
            signal.signal(number, signal.SIG_DFL)  # nobody listens any more
        signal.set_wakeup_fd(before)
        os.close(self._words)
        os.close(self._tell)

    def _next_word(self, seconds: float | None = None) -> int | None:
        """One of _SIGNALS or _OVER; None for a signal of somebody else, or after ``seconds``."""
        ready = select.select([self._words], [], [], seconds)[0]
        word = os.read(self._words, 1)[0] if ready else None
        if word == signal.SIGHUP and not self._takes_hangup:
            # Nothing can be told any more. What was started would outlive the terminal.
            children.end_by(signal.SIGHUP)
        elif word == signal.SIGHUP and self._run is not None:
            self._call(self._on_hangup)
        return word if word == _OVER or word in _SIGNALS else None

    def _cancel(self, word: signal.Signals) -> None:
        self.received = word
        self._came_at = time.monotonic()
        if self._run is not None:
            self._call(self._cancel_run, f"cancelled by {word.name}")
            self._look()

    def _watch(self) -> None:
        while (word := self._next_word(LOOK_SECONDS)) != _OVER:
            self._look()
            if word and time.monotonic() - self._came_at > BOUNCE_SECONDS:
                self._end(signal.Signals(word), " again")
            elif self._held >= HELD_SECONDS:
                self._end(self.received, "")

    def _look(self) -> None:
        """Sums up for how long the loop has not answered while one and the same turn goes on."""
        if self._run is None:
            return
        from swarm_host.holder import read_turn

        now, turn = time.monotonic(), read_turn(self._run[1].holder_address)
        if self._answered or self._turn is None or turn.number != self._turn.number:
            self._held = 0.0
        else:
            # The cap is for a process that was stopped for a while: nobody could run then.
            self._held += min(now - self._looked_at, 2 * LOOK_SECONDS)
        self._looked_at, self._turn = now, turn
        if self._answered:
            self._answered = False
            self._call(self._answer)

    def _answer(self) -> None:
        self._answered = True

    def _call(self, function: Callable[..., object], *arguments: str) -> None:
        assert self._run is not None
        with suppress(RuntimeError):  # the loop is closed: the run is about to be over
            self._run[0].call_soon_threadsafe(function, *arguments)

    def _end(self, word: signal.Signals | None, again: str) -> NoReturn:
        assert word is not None
        children.end_all()
        self._screen.last_words(f"{word.name}{again}: ended without clean-up{self._who()}")
        os._exit(128 + word)

    def _who(self) -> str:
        """Who stands in the way, if anybody does."""
        if self._held < BOUNCE_SECONDS or self._turn is None:
            return ""
        if self._screen.is_writing:
            return ": what the script prints is not read any more, and waits"
        if self._turn.worker is None:
            return f": the host itself was busy for {self._held:.1f} s"
        seconds = max(self._held, time.monotonic() - self._turn.since)
        advice = f"\n{_ADVICE}" if self._turn.worker else ""
        return f": {self._turn.name} had control for {seconds:.1f} s{advice}"
