"""A run whose files are watched: definitions are taken over as they change, and told of."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from typing import Any

import anyio

from swarm_host.cli.running.reload_wish import ReloadWish
from swarm_host.cli.running.repeating import Repeating
from swarm_host.errors import LoadError
from swarm_host.host import Host
from swarm_host.outcome import Outcome, Reloaded
from swarm_host.reload.reloader import Choices, Reloader
from swarm_host.view.errors import render
from swarm_host.view.reloads import line_of, stays
from swarm_host.view.screen import Screen


class WatchedRun:
    """Runs main, once or again and again, and reloads meanwhile.

    :param screen: where reloads are told.
    :param wish: what happens when files change.
    :param run_main: runs main of a host, within its time.
    :param tell: says how main ended.
    """

    def __init__(
        self,
        screen: Screen,
        wish: ReloadWish,
        run_main: Callable[..., Awaitable[Outcome]],
        tell: Callable[[Outcome], None],
    ) -> None:
        self._screen = screen
        self._wish = wish
        self._run_main = run_main
        self._tell = tell
        self._reloader: Reloader | None = None
        self._repeating: Repeating | None = None
        self._announced: set[int] = set()

    async def run(
        self,
        host: Host,
        script: str,
        began: int,
        problem: LoadError | None,
        once: Callable[[], Awaitable[None]],
    ) -> None:
        """Runs main until it has ended; with ``--watch`` until :meth:`end`.

        :param began: when loading began, by :func:`swarm_host.reload.marks.moment`.
        :param problem: why the script did not load, where it did not.
        :param once: runs main once and says how it ended.
        """
        error = problem.error if problem else None
        runs_again = self._wish.watch and not self._wish.dry_run and self._wish.on_change != "keep"
        choices = Choices(self._wish.dry_run, self._wish.drain, fresh=runs_again)
        self._reloader = Reloader(host, script, began, self, choices, error)
        async with anyio.create_task_group() as tasks:
            if self._wish.takes_over:
                tasks.start_soon(self._reloader.run)
            if self._wish.watch:
                self._repeating = Repeating(
                    host, self._screen, self._wish, self._run_main, self._tell
                )
                await self._repeating.run(loaded=problem is None)
            else:
                await once()
            tasks.cancel_scope.cancel()

    def end(self) -> None:
        """Main does not run again."""
        if self._repeating is not None:
            self._repeating.end()

    def hang_up(self) -> None:
        """SIGHUP came: reload."""
        if self._reloader is not None:
            self._reloader.trigger()

    # What the reloader tells. ----------------------------------------------------------------

    def reloaded(self, change: Reloaded, draining: list[int], *, mended: bool) -> None:
        """A generation took over, or would, or nothing has changed."""
        dry_run = self._wish.dry_run
        repeating = None if dry_run else self._repeating
        main = repeating.fate_of_main() if repeating else ""
        line = line_of(change, draining, mended=mended, dry_run=dry_run, main=main)
        self._screen.progress_note(line)
        if not main:
            self._announced.update(draining)
        if repeating:
            repeating.changed()

    def failed(self, error: dict[str, Any], generation: int) -> None:
        """A loading failed, and this generation stays."""
        self._screen.error(f"{stays(generation)}\n{render(error, with_source=True)}")

    def drained(self, generation: int) -> None:
        """The last worker of an old generation has settled."""
        if generation in self._announced:
            self._announced.discard(generation)
            self._screen.progress_note(f"reload: generation {generation} has drained")

    def blind(self, problem: str) -> None:
        """The system gives no events of files."""
        self._screen.note(f"files are looked at 4 times a second; no events come: {problem}")


def has_terminal() -> bool:
    """Whether there is a controlling terminal, whose end is the run's."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        return False
    return True
