"""Waits for changes of what specs come from: spec files, scripts, modules."""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Iterable
from pathlib import Path
from queue import Empty, SimpleQueue
from types import TracebackType

import watchfiles

from swarm_host.testing.discovery import ENDING
from swarm_host.testing.signals import Signals

_STEP_MS, _DEBOUNCE_MS, _LOOK_MS = 5, 50, 200


class Watcher:
    """Watches folders for the time of a ``with`` block.

    :param folders: what is watched, with all below.
    """

    def __init__(self, folders: Iterable[Path]) -> None:
        self._folders = sorted({folder.resolve() for folder in folders})
        self._stop = threading.Event()
        self._ready = threading.Event()
        self._changes: SimpleQueue[set[tuple[watchfiles.Change, str]]] = SimpleQueue()
        self._problem: Exception | None = None
        self._came, self._tell = os.pipe()
        self._thread = threading.Thread(target=self._watch, name="watch", daemon=True)

    def covers(self, folders: Iterable[Path]) -> bool:
        """Whether all of these folders are watched."""
        return all(
            any(folder.resolve().is_relative_to(watched) for watched in self._folders)
            for folder in folders
        )

    def wait(self, files: Iterable[str], signals: Signals) -> list[str]:
        """Waits for a change of one of the files, of any spec file, or for a new Lua file.

        :return: what changed; nothing where a signal came.
        :raises OSError: the folders cannot be watched.
        """
        known = {os.path.realpath(file) for file in files}
        while True:
            ready = select.select([self._came, signals.fileno()], [], [])[0]
            if signals.fileno() in ready and signals.read() is not None:
                return []
            if self._came in ready:
                os.read(self._came, 4096)
            if self._problem is not None:
                raise OSError(str(self._problem)) from self._problem
            changed = self._relevant(known)
            if changed:
                return changed

    def _relevant(self, known: set[str]) -> list[str]:
        changed: set[str] = set()
        while True:
            try:
                batch = self._changes.get_nowait()
            except Empty:
                return sorted(changed)
            for change, path in batch:
                is_new = change is watchfiles.Change.added and path.endswith(".lua")
                if path in known or path.endswith(ENDING) or is_new:
                    changed.add(os.path.relpath(path))

    def _watch(self) -> None:
        try:
            for changes in watchfiles.watch(
                *self._folders,
                watch_filter=None,
                step=_STEP_MS,
                debounce=_DEBOUNCE_MS,
                stop_event=self._stop,
                rust_timeout=_LOOK_MS,
                yield_on_timeout=True,
                raise_interrupt=False,
            ):
                self._ready.set()  # the first comes after a look, when all is being watched
                if changes:
                    self._changes.put(changes)
                    os.write(self._tell, b".")
        except Exception as problem:  # whatever it is, wait() raises it
            self._problem = problem
            self._ready.set()
            os.write(self._tell, b".")

    def __enter__(self) -> Watcher:
        self._thread.start()
        self._ready.wait(5)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join(5)
        os.close(self._came)
        os.close(self._tell)
