"""``--watch``: main runs, and runs again when the script has changed."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

import anyio

from swarm_host.cli.running.reload_wish import ReloadWish
from swarm_host.errors import LoadError
from swarm_host.host import Host, Outcome
from swarm_host.view.errors import render
from swarm_host.view.screen import Screen

_SAID = {
    "pass": "passed",
    "blocked": "is blocked",
    "failed": "failed",
    "cancelled": "was cancelled",
    "timeout": "ran out of time",
}


class Repeating:
    """Runs main again and again.

    :param host: the host.
    :param screen: where it is said that main has ended, and that changes are waited for.
    :param wish: what a change does to main, and whether work comes from outside.
    :param run_main: runs main of a host, within its time.
    :param tell: shows how main ended.
    """

    def __init__(
        self,
        host: Host,
        screen: Screen,
        wish: ReloadWish,
        run_main: Callable[..., Awaitable[Outcome]],
        tell: Callable[[Outcome], None],
    ) -> None:
        self._host = host
        self._screen = screen
        self._on_change = wish.on_change
        self._serves = wish.serves
        self._run_main = run_main
        self._tell = tell
        self._changed = anyio.Event()
        self._runs = False
        self._cancelled = False
        self._over = False

    def fate_of_main(self) -> str:
        """What a change does to main now, for the line that tells of it."""
        if self._on_change == "keep":
            return ""
        if not self._runs:
            return "main runs"
        return "main restarts" if self._on_change == "restart" else ""

    def changed(self) -> None:
        """A generation took over."""
        self._changed.set()
        if self._runs and self._on_change == "restart":
            self._cancelled = True
            self._host.cancel_all("the script has changed, and main runs again")

    def end(self) -> None:
        """Ends :meth:`run`, after the run of main that is under way."""
        self._over = True
        self._changed.set()

    async def run(self, loaded: bool) -> None:
        """Runs main until :meth:`end`.

        :param loaded: there is a generation to run; else a change is waited for first.
        """
        first = True
        if not loaded:
            await self._changed.wait()
        while not self._over:
            self._changed = anyio.Event()
            if first and self._serves:
                self._host.serve()
                run = self._host.run_id
                self._screen.progress_note(
                    f"run {run} serves: swarm-host spawn {run} NAME [INPUT] (Ctrl-C ends)"
                )
            has_main = not self._serves or self._host.describe().get("main") is not None
            if has_main and (first or self._on_change != "keep"):
                await self._run_once()
            first = False
            if not self._over:
                await self._changed.wait()

    async def _run_once(self) -> None:
        started = time.monotonic()
        self._runs, self._cancelled = True, False
        try:
            outcome = await self._run_main(self._host, again=True)
        except LoadError as problem:
            self._screen.error(render(problem.error))
            self._screen.progress_note("waiting for a change (Ctrl-C ends)")
            return
        finally:
            self._runs = False
        self._screen.clear()
        if self._cancelled and outcome.status == "cancelled":
            return
        self._tell(outcome)
        if self._serves:
            self._screen.progress_note(f"main {_SAID[outcome.status]}; the run serves on")
        elif not self._over:
            seconds = time.monotonic() - started
            said = _SAID[outcome.status]
            what = "changes of definitions" if self._on_change == "keep" else "changes"
            self._screen.progress_note(
                f"main {said} in {seconds:.1f} s; waiting for {what} (Ctrl-C ends)"
            )
