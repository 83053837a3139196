"""Watching files: which of a set of paths have changed, however their editor saves them.

Not the files are watched but the folders on the way to them: a file that is saved by renaming
another over it, a link, or a folder that is made anew is another file afterwards, and the system's
watch of the old one stays silent. What counts is not the event but the file: an event only says
where to look, and once a second everything is looked at, for what events miss (a network drive, a
folder moved far above, a queue that ran over).

One thread does it all, so that neither a slow disk nor the loading of the library holds the loop.
"""

from __future__ import annotations

import asyncio
import math
import os
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

from swarm_host.reload.marks import Mark, changed_at, hops, look

if TYPE_CHECKING:
    from watchfiles._rust_notify import RustNotify

STEP_MS = 3
"""How often the library asks whether something came: an event takes one to two of these."""

DEBOUNCE_MS = 10
"""How long the library may gather where events do not end, in a folder that is never quiet."""

LOOK_SECONDS = 1.0
"""How often everything is looked at without an event."""

SOON_SECONDS = 0.05
"""How soon after an event: the library loses what comes while it hands over what came before."""

LOOK_SHARE = 50
"""Where there are so many files that a look takes long: for how many times as long nobody looks."""

BLIND_SECONDS = 0.25
"""The same where the system gives no events."""

HOLD_SECONDS = 0.04
"""How long a file may be gone or empty before that counts: many editors truncate it and then write
it, or take it away and then put the new one in its place."""

TICK_NS = 10_000_000
"""How far the times of files may lag behind the clock: a tick of the system's, at the most."""

_NO = ("", "false", "disable", "disabled")


class Watcher:
    """An asynchronous iterator of sets of paths that have changed.

    :param paths: the files and folders, spelled as the changes shall be; they need not be there.
    :param since: when they were read, by :func:`~swarm_host.reload.marks.moment`: what changed
        between then and now counts too. None: only what changes from now on does.
    :param absent: further paths, which were looked for then and were not there.
    :ivar problem: why the system gives no events, where it does not: then files are looked at four
        times a second.
    """

    def __init__(
        self, paths: Iterable[str], since: int | None = None, absent: Iterable[str] = ()
    ) -> None:
        self.problem: str | None = None
        self._loop = asyncio.get_running_loop()
        self._changed: set[str] = set()
        self._came = asyncio.Event()
        self._fault: Exception | None = None
        self._lock = threading.Lock()
        self._orders: list[tuple[set[str], set[str], int | None]] = []
        self._interrupt = threading.Event()
        self._stopping = False
        # Only the thread touches these.
        self._marks: dict[str, Mark] = {}
        self._ordered: dict[str, tuple[int, ...]] = {}  # the times when they were ordered
        self._held: dict[str, float] = {}  # unfinished since
        self._places: dict[tuple[str, str], set[str]] = {}  # (folder, name) → paths on whose way
        self._listed: dict[str, set[str]] = {}  # folder → itself, as it is spelled in paths
        self._inner: set[tuple[str, str]] = set()  # places of links and folders
        self._folders: dict[str, tuple[int, int]] = {}  # what is watched, with its number
        self._notify: RustNotify | None = None
        self._look_took = 0.0
        self._due = 0.0  # when everything is looked at, whatever comes until then
        self.update(paths, since, absent)
        self._thread = threading.Thread(target=self._run, name="watching", daemon=True)
        self._thread.start()

    def __aiter__(self) -> Watcher:
        return self

    async def __anext__(self) -> set[str]:
        """The paths that have changed since the last call; waits for the first."""
        await self._came.wait()
        if self._fault is not None:
            raise self._fault
        self._came.clear()
        changed, self._changed = self._changed, set()
        return changed

    def update(
        self, paths: Iterable[str], since: int | None = None, absent: Iterable[str] = ()
    ) -> None:
        """Watches these paths from now on.

        :param since: when reading them began, by :func:`~swarm_host.reload.marks.moment`. What has
            changed since then is told, even where it looks the same as it did before.
        :param absent: further paths, which were looked for and were not there.
        """
        with self._lock:
            self._orders.append((set(paths), set(absent), since))
        self._interrupt.set()

    def close(self) -> None:
        """Stops watching; it takes a few milliseconds."""
        self._stopping = True
        self._interrupt.set()
        self._thread.join()

    # In the thread. --------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while True:
                self._interrupt.clear()
                if self._stopping:
                    break
                self._take_orders()
                self._wait()
        except Exception as fault:
            with suppress(RuntimeError):  # the loop is closed: nobody listens any more
                self._loop.call_soon_threadsafe(self._take, set(), fault)
        self._notify = None

    def _take_orders(self) -> None:
        with self._lock:
            orders, self._orders = self._orders, []
        for read, absent, since in orders:
            paths = read | absent
            for path in self._marks.keys() - paths:
                del self._marks[path]
                self._held.pop(path, None)
            self._look_at(self._marks)
            changed = set()
            for path in paths:
                is_new = path not in self._marks
                if is_new:
                    self._marks[path] = look(path)
                if since is not None and self._is_doubtful(path, since, is_new, path in absent):
                    changed.add(path)
            self._ordered = {path: self._marks[path].stat for path in paths}
            self._tell(changed)
        if orders:
            self._settle_places()

    def _is_doubtful(self, path: str, since: int, is_new: bool, was_absent: bool) -> bool:
        """Whether a path may have been read otherwise than it looks now."""
        mark = self._marks[path]
        if is_new:
            if was_absent and mark.kind == "missing":
                return False
            return changed_at(path) >= since - TICK_NS
        # It was touched, and is the same again. A save just before is in the tick of `since`.
        return mark.stat != self._ordered.get(path) and changed_at(path) > since

    def _wait(self) -> None:
        """Waits for news, at most until somebody must be looked at, and looks."""
        until = min(self._held.values()) + HOLD_SECONDS if self._held else self._due
        seconds = max(until - time.monotonic(), 0.001)
        news = None
        if self._notify is None:
            self._interrupt.wait(seconds)
        else:
            milliseconds = max(1, round(seconds * 1000))
            try:
                news = self._notify.watch(DEBOUNCE_MS, STEP_MS, milliseconds, self._interrupt)
            except Exception as problem:  # the library's own classes are not exported
                self._notify, self.problem, self._due = None, str(problem), 0.0
        if isinstance(news, set):
            self._look_where({os.path.split(path) for _, path in news})
            self._look_within(SOON_SECONDS)
        if time.monotonic() >= self._due and not self._held:
            self._look_at_all()
        self._let_go()

    def _look_within(self, seconds: float) -> None:
        """Has everything looked at in so long, or later where a look takes long."""
        self._due = min(self._due, time.monotonic() + max(seconds, LOOK_SHARE * self._look_took))

    def _look_where(self, places: set[tuple[str, str]]) -> None:
        named: set[str] = set()
        for folder, name in places:
            named |= self._places.get((folder, name), set())
            named |= self._listed.get(folder, set())
            if os.path.join(folder, name) in self._folders:
                self._inner.add((folder, name))
        if named:
            self._look_at(named, named=True)
        if any(place in self._inner for place in places):
            self._folders = {}  # what was watched may be another folder now, by the same name
            self._settle_places()
        elif named:
            self._settle_places()

    def _look_at_all(self) -> None:
        began = time.thread_time()
        if self._marks:
            self._look_at(self._marks.keys())
            self._settle_places()
        self._look_took = time.thread_time() - began
        self._due = math.inf
        self._look_within(BLIND_SECONDS if self._notify is None else LOOK_SECONDS)

    def _look_at(self, paths: Iterable[str], *, named: bool = False) -> None:
        changed = set()
        for path in list(paths):
            before = self._marks[path]
            now = look(path, None if path in self._held else before, named=named)
            if before.same(now):
                # Where it was held: what was gone for a moment is back as it was.
                self._held.pop(path, None)
                self._marks[path] = now
            elif (
                now.may_pass
                and before.kind != "missing"
                and before.size + (before.kind == "folder")
            ):
                self._held.setdefault(path, time.monotonic())
            else:
                self._held.pop(path, None)
                self._marks[path] = now
                changed.add(path)
        self._tell(changed)

    def _let_go(self) -> None:
        """Tells of what has been unfinished for too long to be a save under way."""
        now = time.monotonic()
        over = {path for path, since in self._held.items() if now - since >= HOLD_SECONDS}
        changed = set()
        for path in over:
            del self._held[path]
            mark = look(path)
            if not mark.same(self._marks[path]):
                self._marks[path] = mark
                changed.add(path)
        self._tell(changed)

    def _tell(self, changed: set[str]) -> None:
        if changed:
            self._loop.call_soon_threadsafe(self._take, changed)

    def _take(self, changed: set[str], fault: Exception | None = None) -> None:
        self._changed |= changed
        self._fault = fault
        self._came.set()

    # Which folders. --------------------------------------------------------------------------

    def _settle_places(self) -> None:
        """Watches the folders that matter now, until nothing has moved while it began to."""
        for _ in range(20):
            self._find_places()
            folders = {folder for folder, _ in self._places} | self._listed.keys()
            found = {}
            for folder in folders:
                with suppress(OSError):
                    at = os.stat(folder)
                    found[folder] = (at.st_dev, at.st_ino)
            if found == self._folders and (self._notify is not None or self.problem):
                return
            self._begin(found)
            # What happened before it began was not told by anybody.
            self._look_at(self._marks.keys())

    def _begin(self, folders: dict[str, tuple[int, int]]) -> None:
        self._notify = None
        self._folders = folders
        try:
            from watchfiles._rust_notify import RustNotify

            polls = os.environ.get("WATCHFILES_FORCE_POLLING", "") not in _NO
            self._notify = RustNotify(sorted(folders), False, polls, 300, False, True)
            self.problem = None
        except FileNotFoundError:
            self._folders = {}  # one has gone meanwhile: once more
        except Exception as problem:
            self.problem = str(problem) or type(problem).__name__

    def _find_places(self) -> None:
        start = os.path.realpath(".")
        self._places, self._listed, self._inner = {}, {}, set()
        for path, mark in self._marks.items():
            way = list(hops(path, start))
            if not way:  # the working folder itself
                self._listed.setdefault(start, set()).add(path)
                continue
            folder, name = way[-1]
            full = os.path.join(folder, name)
            if mark.kind == "folder" and os.path.isdir(full):
                self._listed.setdefault(full, set()).add(path)
            below = start if start == folder or folder.startswith(start + "/") else None
            for index, (folder, name) in enumerate(way):
                full = os.path.join(folder, name)
                is_last = index == len(way) - 1
                # Above the working folder, and two folders above the file, nobody looks but the
                # clock, save for links: else a busy /tmp would keep the thread awake.
                if is_last or index == len(way) - 2 or below or os.path.islink(full):
                    self._places.setdefault((folder, name), set()).add(path)
                    if not is_last or os.path.islink(full) or not os.path.exists(full):
                        self._inner.add((folder, name))
