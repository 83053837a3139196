"""Ctrl-C, SIGTERM and the end of the run's time: the main thread's part of a run.

One signal cancels the run, and clean-up takes the time it takes. A second one ends the process at
once, and so does Lua that does not give control back: nothing but the end of the process stops it.
Until then it is said who has control and does not give it back.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from typing import NoReturn

from swarm_host.cli.words import TIMED_OUT
from swarm_host.threads.loop import LoopThread
from swarm_host.threads.signals import BOUNCE_SECONDS, Signals, end_at_once
from swarm_host.view.screen import Screen
from swarm_host.vm.turn import Turn, read_turn

HELD_SECONDS = 3.0
"""How long after a signal, or after the run's time is up, Lua may keep control within one turn of a
worker; and how long a reader may take to go on reading."""

LOOK_SECONDS = 0.25
"""How often the watchdog looks, once a signal came or the time is up."""

IDLE_LOOK_SECONDS = 1.0
"""How often before: it says who has had control for :data:`HELD_SECONDS`."""

ANSWER_SECONDS = 1.0
"""How long the loop may take to say who is alive."""

_UNREAD_SECONDS = 0.05
_ADVICE = "What computes for long must call swarm.yield() now and then; there it hears a cancel."
_LOADING_ADVICE = (
    "What takes long belongs into swarm.main or a worker: as it loads, a script defines."
)


class Watchdog:
    """Keeps the signals of a run, in the main thread, while the run has its own.

    :param screen: where the last words go.
    :param thread: the run's.
    :param cancel: cancels the run, and takes the reason; it is called in the thread's loop.
    :param on_hangup: called there for each SIGHUP; None: that ends the run.
    :param tell_who: says who is alive; called there for SIGQUIT.
    :param seconds: how long all may take, if there is a bound.
    """

    def __init__(
        self,
        screen: Screen,
        thread: LoopThread,
        cancel: Callable[[str], object],
        on_hangup: Callable[[], object] | None,
        tell_who: Callable[[], object],
        seconds: float | None,
    ) -> None:
        self._screen = screen
        self._thread = thread
        self._cancel = cancel
        self._tell_who = tell_who
        self._seconds = seconds
        self.before_end: Callable[[], object] | None = None
        self._due: float | None = None
        news = None if on_hangup is None else lambda: thread.call(on_hangup)
        on_stop = screen.given_way if screen.terminal else None
        self._signals = Signals(self._on_second, news, self._before_quit, on_stop, to_the_end=True)
        # What was seen of the turn under way, and for how long the loop has owed an answer.
        self._turn_address: int | None = None
        self._turn: Turn | None = None
        self._looked_at = 0.0
        self._held = 0.0
        self._told: int | None = None  # the turn of which it was said
        self._was_due = False

    @property
    def received(self) -> signal.Signals | None:
        """The first signal that came, or None."""
        return self._signals.received

    @property
    def is_due(self) -> bool:
        """Whether the run was to end: a signal came, or its time is up."""
        return self.received is not None or self._is_late

    def attach(self, turn_address: int) -> None:
        """There is a run to cancel from now on. Afterwards look at :attr:`received`.

        :param turn_address: where it is read whose turn it is.
        """
        self._turn_address = turn_address

    def begin(self) -> None:
        """The time of the run, which is bounded, begins now, or begins anew."""
        if self._seconds is not None:
            self._due = time.monotonic() + self._seconds

    def rest(self) -> None:
        """Nothing runs for which time is bounded."""
        self._due = None

    def watch(self, conclude: Callable[[], object]) -> bool:
        """Starts the thread, and waits until it is over and all that was said is read. It may end
        the process instead.

        :param conclude: says how it went, once the thread is over.
        :return: whether all was read before the time was up.
        """
        with self._signals:
            self.begin()
            self._thread.start()
            over = False
            while not over:
                came, over = self._signals.wait(self._thread, self._pause())
                if came and self.received is not None:
                    self._thread.call(self._cancel, f"cancelled by {self.received.name}")
                if not over:
                    self._look()
                    if self._held >= HELD_SECONDS:
                        self._end(self.received, "") if self.is_due else self._tell_holder()
            self._thread.close()
            self._turn_address = None
            self._signals.wait(None, 0)  # one that came as the run ended counts
            conclude()
            return self._wait_for_readers()

    @property
    def _is_late(self) -> bool:
        due = self._due
        return due is not None and time.monotonic() >= due

    def _pause(self) -> float | None:
        if self.is_due:
            return LOOK_SECONDS
        due = self._due
        if due is not None:
            return min(max(due - time.monotonic(), 0), IDLE_LOOK_SECONDS)
        return IDLE_LOOK_SECONDS if self._seconds is None else LOOK_SECONDS

    def _wait_for_readers(self) -> bool:
        """Waits until all is read, but not for who does not read once the run was to end. False:
        its time was up before."""
        asked = self.is_due
        unread, since = self._screen.unread, time.monotonic()
        while self._screen.unread:
            self._signals.wait(None, _UNREAD_SECONDS)
            now = time.monotonic()
            if self._screen.unread != unread:
                unread, since = self._screen.unread, now
            if not self.is_due or (asked and now - since < HELD_SECONDS):
                continue
            why = self.received.name if self.received is not None else "the run's time is up"
            self._screen.last_words(f"{why}: {unread} bytes of output are not read, and are lost")
            return self.received is not None
        return True

    def _on_second(self, word: signal.Signals) -> None:
        self._look()
        self._end(word, " again")

    def _before_quit(self) -> None:
        """Says who is alive and what each waits for, or who does not let the others say it."""
        told = threading.Event()
        self._thread.call(self._tell_who)
        self._thread.call(told.set)
        if not told.wait(ANSWER_SECONDS) and self._turn_address is not None:
            turn = read_turn(self._turn_address)
            if turn.worker is not None:
                seconds = time.monotonic() - turn.since
                self._screen.note(f"{turn.name} has had control for {seconds:.1f} s")
        self._screen.close()
        self._screen.wait(ANSWER_SECONDS)

    def _look(self) -> None:
        """Sums up for how long the loop has not answered while one and the same turn goes on."""
        if self._turn_address is None:
            return
        now, turn = time.monotonic(), read_turn(self._turn_address)
        if self._thread.answers or self._turn is None or turn.number != self._turn.number:
            self._held = 0.0
        else:
            # The cap is for a process that was stopped for a while: nobody could run then.
            pause = LOOK_SECONDS if self._was_due else IDLE_LOOK_SECONDS
            self._held += min(now - self._looked_at, 2 * pause)
        if self.is_due != self._was_due:
            self._was_due, self._held = self.is_due, 0.0  # from here on it counts for the end
        self._looked_at, self._turn = now, turn
        if self._thread.answers:
            self._thread.ask()

    def _tell_holder(self) -> None:
        """Says once who has control, and that nobody else runs until it gives it back."""
        turn = self._turn
        if turn is not None and turn.worker is not None and turn.number != self._told:
            self._told = turn.number
            self._screen.progress_note(
                f"{turn.name} has had control for {self._held:.0f} s, and nobody else runs"
                f"\n{_advice(turn)}"
            )

    def _end(self, word: signal.Signals | None, again: str) -> NoReturn:
        if word is None:
            cause, status = f"--timeout {self._seconds:g}", TIMED_OUT
        else:
            cause, status = f"{word.name}{again}", 128 + word
        text = f"{cause}: ended without clean-up{self._who()}"
        if self.before_end is not None:
            self.before_end()
        end_at_once(status, lambda: self._screen.last_words(text))

    def _who(self) -> str:
        """Who stands in the way, if anybody does."""
        if self._screen.unread:
            return ": what the script prints is not read any more, and waits"
        if self._held < BOUNCE_SECONDS or self._turn is None:
            return ""
        if self._turn.worker is None:
            return f": the host itself was busy for {self._held:.1f} s"
        seconds = max(self._held, time.monotonic() - self._turn.since)
        return f": {self._turn.name} had control for {seconds:.1f} s\n{_advice(self._turn)}"


def _advice(turn: Turn) -> str:
    return _ADVICE if turn.worker else _LOADING_ADVICE
