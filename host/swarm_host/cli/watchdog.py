"""Ctrl-C and SIGTERM: the main thread's part of a run.

One signal cancels the run, and clean-up takes the time it takes. A second one ends the process at
once, and so does Lua that does not give control back: nothing but the end of the process stops it.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, NoReturn

from swarm_host.threads.loop import LoopThread
from swarm_host.threads.signals import BOUNCE_SECONDS, Signals, end_at_once
from swarm_host.view.screen import Screen

if TYPE_CHECKING:
    from swarm_host.vm.turn import Turn

HELD_SECONDS = 3.0
"""How long after a signal Lua may keep control within one turn of a worker."""

LOOK_SECONDS = 0.25
"""How often the watchdog looks, once a signal came."""

_ADVICE = "What computes for long must call swarm.yield() now and then; there it hears a cancel."


class Watchdog:
    """Keeps the signals of a run, in the main thread, while the run has its own.

    :param screen: where the last words go.
    :param thread: the run's.
    :param cancel: cancels the run, and takes the reason; it is called in the thread's loop.
    :param on_hangup: called there for each SIGHUP; None: that ends the run.
    """

    def __init__(
        self,
        screen: Screen,
        thread: LoopThread,
        cancel: Callable[[str], object],
        on_hangup: Callable[[], object] | None,
    ) -> None:
        self._screen = screen
        self._thread = thread
        self._cancel = cancel
        news = None if on_hangup is None else lambda: thread.call(on_hangup)
        self._signals = Signals(self._on_second, news)
        # What was seen of the turn under way, and for how long the loop has owed an answer.
        self._turn_address: int | None = None
        self._turn: Turn | None = None
        self._looked_at = 0.0
        self._held = 0.0

    @property
    def received(self) -> signal.Signals | None:
        """The first signal that came, or None."""
        return self._signals.received

    def attach(self, turn_address: int) -> None:
        """There is a run to cancel from now on. Afterwards look at :attr:`received`.

        :param turn_address: where it is read whose turn it is.
        """
        self._turn_address = turn_address

    def watch(self) -> None:
        """Starts the thread, and waits until it is over. It may end the process instead."""
        with self._signals:
            self._thread.start()
            over = False
            while not over:
                pause = None if self.received is None else LOOK_SECONDS
                came, over = self._signals.wait(self._thread, pause)
                if came and self.received is not None:
                    self._thread.call(self._cancel, f"cancelled by {self.received.name}")
                if not over:
                    self._look()
                    if self._held >= HELD_SECONDS:
                        self._end(self.received, "")
        self._thread.close()

    def _on_second(self, word: signal.Signals) -> None:
        self._look()
        self._end(word, " again")

    def _look(self) -> None:
        """Sums up for how long the loop has not answered while one and the same turn goes on."""
        if self._turn_address is None or self.received is None:
            return
        from swarm_host.vm.turn import read_turn

        now, turn = time.monotonic(), read_turn(self._turn_address)
        if self._thread.answers or self._turn is None or turn.number != self._turn.number:
            self._held = 0.0
        else:
            # The cap is for a process that was stopped for a while: nobody could run then.
            self._held += min(now - self._looked_at, 2 * LOOK_SECONDS)
        self._looked_at, self._turn = now, turn
        if self._thread.answers:
            self._thread.ask()

    def _end(self, word: signal.Signals | None, again: str) -> NoReturn:
        assert word is not None
        text = f"{word.name}{again}: ended without clean-up{self._who()}"
        end_at_once(128 + word, lambda: self._screen.last_words(text))

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
