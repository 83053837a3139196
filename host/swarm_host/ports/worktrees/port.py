"""Port ``worktree``: a git worktree for a task, and its end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio

from swarm_host.ports.contract import Answer, Call, PortError
from swarm_host.ports.worktrees.git import Repository, Tree, repository_of
from swarm_host.ports.worktrees.records import Records

_CLOSE_SECONDS = 60.0


class Worktrees:
    """Makes worktrees of the repository that the host runs in, and ends them."""

    def __init__(self) -> None:
        self._records: Records | None = None
        self._repositories: dict[str, Repository] = {}
        self._trees: dict[str, tuple[Tree, str]] = {}  # by path: those that have not ended
        self._looking = anyio.Lock()

    async def __call__(self, payload: dict[str, Any], call: Call) -> Answer:
        """Answers one request.

        :param payload: ``op`` ``make`` with ``name``, ``base``, ``branch`` (or none) and ``keep``
            (what is to become of it), and ``before``, its path in a run that is resumed, where it
            goes on or is made anew; emits, and answers, ``path`` and ``branch``. Cancelled, it
            leaves no tree, or emits the one that there is. ``op`` ``end`` with ``path``, which is
            done whole, cancelled or not; answers ``holds``, where it was kept: what is in it.
        :param call: who asks.
        :raises PortError: ``io_error``.
        """
        if payload["op"] == "make":
            made = await self._make(payload)
            with anyio.CancelScope(shield=True):
                await call.emit(made, None)
            return Answer(made)
        with anyio.CancelScope(shield=True):
            holds = await self._end(payload["path"])
        return Answer({"holds": holds} if holds else {})

    async def aclose(self) -> None:
        """Ends the trees that nobody has ended, and lets go of the place where all lie."""
        with anyio.move_on_after(_CLOSE_SECONDS, shield=True):
            for path in list(self._trees):
                try:
                    await self._end(path)
                except PortError:
                    continue  # it stays, and is found later
        if self._records is not None:
            self._records.close()

    async def _make(self, payload: dict[str, Any]) -> dict[str, Any]:
        repository = await self._repository()
        if self._records is None:
            self._records = Records()
        branch = payload.get("branch")
        path = payload.get("before")
        if path is not None:
            found = self._records.adopt(path)
            if found is not None:
                self._trees[path] = found, payload["keep"]
                return {"path": path, "branch": branch}
        path = path or self._records.place(payload["name"])
        plan = await repository.plan(path, payload["base"], branch)
        self._records.keep(plan)
        try:
            tree = await repository.add(plan, again=payload.get("before") is not None)
        except BaseException:
            self._records.forget(plan)
            raise
        try:
            self._records.keep(tree)
        except PortError:
            with anyio.CancelScope(shield=True):
                await repository.remove(tree)
            self._records.forget(plan)
            raise
        self._trees[path] = tree, payload["keep"]
        return {"path": path, "branch": branch}

    async def _repository(self) -> Repository:
        folder = str(Path.cwd())
        async with self._looking:
            if folder not in self._repositories:
                self._repositories[folder] = await repository_of(folder)
            return self._repositories[folder]

    async def _end(self, path: str) -> str | None:
        tree, keep = self._trees[path]
        holds = None if keep == "never" else await tree.holds()
        if keep == "always" or holds:
            del self._trees[path]
            return holds or "no work"
        await self._repositories_of(tree).remove(tree)
        del self._trees[path]
        if self._records is not None:
            self._records.forget(tree)
        return None

    def _repositories_of(self, tree: Tree) -> Repository:
        return next(one for one in self._repositories.values() if one.folder == tree.repository)
