"""When to reload: on which news, how often, and what is told of it.

The first change of a burst is loaded at once. What comes during that loading, or shortly after it,
costs together one more; so a save costs one loading, and a checkout of a thousand files two. Where
changes do not end, a loading comes once a second.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import anyio
from anyio.abc import TaskGroup

from swarm_host.errors import LoadError
from swarm_host.outcome import Reloaded
from swarm_host.reload.marks import moment

if TYPE_CHECKING:
    from swarm_host.reload.watching import Watcher

BEGIN_SECONDS = 0.1
"""How long a run goes on before anybody watches. Many are over by then, and need not load what
watching takes; a change meanwhile is seen all the same, by the times of the files."""

QUIET_SECONDS = 0.05
"""A burst is over once no change came for so long."""

GATHER_SECONDS = 1.0
"""How long a burst is gathered at the most."""

DRAIN_LOOK_SECONDS = 0.1
"""How often it is looked whether an old generation has drained."""


class Reloadable(Protocol):
    """What can be loaded anew: a :class:`swarm_host.host.Host`, which says what each does."""

    async def reload(self, dry_run: bool = False, *, fresh: bool = False) -> Reloaded: ...

    def watched(self) -> dict[str, list[str]]: ...

    def on_watches(self, tell: Callable[[], None]) -> None: ...

    def generations(self) -> list[dict[str, Any]]: ...

    def cancel_generations_before(self, number: int, reason: str) -> None: ...


class Tells(Protocol):
    """Who is told of reloads."""

    def reloaded(self, change: Reloaded, draining: list[int], *, mended: bool) -> None:
        """A generation took over, or would (a dry run), or nothing has changed.

        :param draining: the older generations that still have workers.
        :param mended: the attempt before had failed.
        """

    def failed(self, error: dict[str, Any], generation: int) -> None:
        """A loading failed, and this generation stays (0: there is none)."""

    def drained(self, generation: int) -> None:
        """The last worker of an old generation has settled."""

    def blind(self, problem: str) -> None:
        """The system gives no events of files."""


@dataclass(slots=True)
class Choices:
    """How reloads go.

    :ivar dry_run: only say what a reload would change.
    :ivar drain: seconds that workers of older generations have, or None: as long as they need.
    :ivar fresh: a generation takes over even where no definition has changed: ``main`` runs again,
        and begins with what the script makes anew.
    """

    dry_run: bool = False
    drain: float | None = None
    fresh: bool = False


class Reloader:
    """Reloads a host's script as its files change.

    :param host: the host.
    :param script: the script's path.
    :param since: when its loading began, by :func:`swarm_host.reload.marks.moment`.
    :param tells: who is told.
    :param choices: how reloads go.
    :param error: what was wrong with the first loading, if anything was.
    :ivar generation: the generation that took over last; 0 for none.
    """

    def __init__(
        self,
        host: Reloadable,
        script: str,
        since: int,
        tells: Tells,
        choices: Choices,
        error: dict[str, Any] | None = None,
    ) -> None:
        self.generation = 0 if error else 1
        self._host = host
        self._script = script
        self._since = since
        self._tells = tells
        self._choices = choices
        self._is_broken = error is not None
        self._is_loading = False
        self._news = anyio.Event()
        self._more_to_watch = anyio.Event()
        self._draining: dict[int, float | None] = {}  # generation → when to cancel it

    def trigger(self) -> None:
        """Reload, whatever has changed."""
        self._news.set()

    async def run(self) -> None:
        """Watches, and reloads, until it is cancelled."""
        # Only here: what watching takes is not loaded for a run that is over by then.
        with anyio.move_on_after(BEGIN_SECONDS):
            await self._news.wait()
        from swarm_host.reload.watching import Watcher

        read, absent = self._watched()
        watcher = Watcher(read, self._since, absent)
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._listen, watcher)
                tasks.start_soon(self._follow_what_is_read, watcher)
                while True:
                    await self._news.wait()
                    await self._burst(watcher, tasks)
        finally:
            watcher.close()

    async def _listen(self, watcher: Watcher) -> None:
        async for _ in watcher:
            self._news.set()

    async def _follow_what_is_read(self, watcher: Watcher) -> None:
        """A module that is required late, a file that ``swarm.watch_file`` names."""

        def wake() -> None:
            self._more_to_watch.set()

        self._host.on_watches(wake)
        told_blind = False
        while True:
            with anyio.move_on_after(GATHER_SECONDS):
                await self._more_to_watch.wait()
            if self._more_to_watch.is_set() and not self._is_loading:
                read, absent = self._watched()
                watcher.update(read, absent=absent)
                self._more_to_watch = anyio.Event()
            elif self._more_to_watch.is_set():
                await anyio.sleep(QUIET_SECONDS)
            if watcher.problem and not told_blind:
                told_blind = True
                self._tells.blind(watcher.problem)

    def _watched(self) -> tuple[set[str], set[str]]:
        """What was read, and what was looked for and not there."""
        watched = self._host.watched()
        absent = set(watched.pop("missing", ()))
        return {self._script, *(path for paths in watched.values() for path in paths)}, absent

    async def _burst(self, watcher: Watcher, tasks: TaskGroup) -> None:
        """Loads at once, gathers what comes, and loads once more where anything came."""
        self._news = anyio.Event()
        while True:
            error = await self._load(watcher, tasks)
            began = time.monotonic()
            came = await self._gather(began)
            # What the next loading mends within moments is a file that was half written.
            if error and (not came or time.monotonic() - began >= GATHER_SECONDS):
                self._is_broken = True
                self._tells.failed(error, self.generation)
            if not came:
                return

    async def _gather(self, began: float) -> bool:
        """Waits until it is quiet. Whether anything came."""
        came = False
        while time.monotonic() - began < GATHER_SECONDS:
            with anyio.move_on_after(QUIET_SECONDS):
                await self._news.wait()
            if not self._news.is_set():
                break
            self._news = anyio.Event()
            came = True
        return came

    async def _load(self, watcher: Watcher, tasks: TaskGroup) -> dict[str, Any] | None:
        """Loads once. Returns the error that it ended with."""
        since, self._is_loading = moment(), True
        try:
            change = await self._host.reload(self._choices.dry_run, fresh=self._choices.fresh)
        except LoadError as problem:
            if problem.error.get("code") == "cancelled":
                self.trigger()  # a run came to its end, and all that was alive with it
                return None
            return problem.error
        else:
            self._tell(change, tasks)
            return None
        finally:
            read, absent = self._watched()
            watcher.update(read, since, absent)
            self._is_loading = False

    def _tell(self, change: Reloaded, tasks: TaskGroup) -> None:
        mended, self._is_broken = self._is_broken, False
        older = [
            generation["number"]
            for generation in (self._host.generations() if change.draining else ())
            if generation["besides_main"] and (self._choices.dry_run or not generation["newest"])
        ]
        if not self._choices.dry_run:
            self.generation = change.generation
            nobody_looks = not self._draining
            until = None if self._choices.drain is None else time.monotonic() + self._choices.drain
            for number in older:
                self._draining.setdefault(number, until)
            if self._draining and nobody_looks:
                tasks.start_soon(self._look_at_drains)
        self._tells.reloaded(change, older, mended=mended)

    async def _look_at_drains(self) -> None:
        """Tells of generations that have drained, and cancels those that take too long."""
        while self._draining:
            now = time.monotonic()
            due = [n for n, until in self._draining.items() if until is not None and until <= now]
            if due:
                for number in due:
                    self._draining[number] = None
                reason = f"generation {max(due)} was replaced {self._choices.drain:g} s ago"
                self._host.cancel_generations_before(max(due) + 1, reason)
            alive = {
                generation["number"]
                for generation in self._host.generations()
                if generation["besides_main"] and not generation["newest"]
            }
            for number in sorted(self._draining.keys() - alive):
                del self._draining[number]
                self._tells.drained(number)
            # Counting visits every live worker: where there are many it is done less often.
            took = time.monotonic() - now
            pause = max(DRAIN_LOOK_SECONDS, 50 * took)
            untils = [until for until in self._draining.values() if until is not None]
            await anyio.sleep(min([pause, *(max(until - now, 0.001) for until in untils)]))
