"""Waits for a change of what specs come from: spec files, scripts, modules, and new spec files."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

import anyio

from swarm_host.reload.marks import changed_at, look, moment
from swarm_host.reload.watching import Watcher
from swarm_host.testing.discovery import NothingMeant, find, folders
from swarm_host.testing.running import Runner
from swarm_host.threads.apart import Apart
from swarm_host.threads.signals import Signals

_FOR_EVER = 1e8


class Changes:
    """What has changed since a run began; make it before the run.

    :param paths: what the run was asked for.
    :param known: files that the run before loaded.
    """

    def __init__(self, paths: Sequence[str], known: Iterable[str] = ()) -> None:
        self._paths = paths
        self._since = moment()
        self._specs = self._find()
        self._before = {path: look(path) for path in self._specs.union(known)}

    def wait(self, runner: Runner, signals: Signals) -> list[str]:
        """Waits for a change of what a run has loaded, or for a spec file that comes or goes.

        :param runner: what has run.
        :return: the paths that changed.
        :raises Interrupted: a signal came.
        """

        async def changed(limit: anyio.CancelScope) -> list[str]:
            with limit:
                places = folders(self._paths)
                files = runner.files | self._specs
                watcher = Watcher(files | places, self._since, runner.missing)
                try:
                    async for paths in watcher:
                        named = {path for path in paths - places if not self._is_as_read(path)}
                        if paths & places:
                            named |= self._specs ^ self._find()
                        if named:
                            return _told(named)
                finally:
                    watcher.close()
            return []

        return Apart(changed).run(_FOR_EVER, signals)

    def _is_as_read(self, path: str) -> bool:
        """Whether a file was saved just before the run, as the save that the run is for: by its
        times alone it may have been saved after it was read."""
        before = self._before.pop(path, None)
        return before is not None and before.same(look(path)) and changed_at(path) < self._since

    def _find(self) -> set[str]:
        try:
            return {target.file for target in find(self._paths)}
        except NothingMeant:
            return set()


def _told(paths: set[str]) -> list[str]:
    return sorted(os.path.relpath(path) for path in paths)
