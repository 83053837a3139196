"""Git, as far as worktrees need it: it asks nobody, runs no hook, and waits for others' locks."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, replace
from typing import NamedTuple

import anyio

from swarm_host.ports.contract import PortError

_QUIET = ("-c", "core.hooksPath=/dev/null", "-c", "advice.detachedHead=false")
_PATIENT = ("-c", "core.filesRefLockTimeout=20000", "-c", "core.packedRefsTimeout=20000")
_IS_LOCKED = "Unable to create"  # what git says where a lock is there for too long
_AT_ONCE = 8
"""Trees that are filled or removed at once."""


class Said(NamedTuple):
    """What a git command came to."""

    ok: bool
    out: str
    err: str


async def git(folder: str, *words: str) -> Said:
    """Runs a git command in a folder.

    :raises PortError: ``io_error`` where there is no git.
    """
    # What a hook or an outer git has set would lead to another repository.
    env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    env |= {"LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0"}
    command = ["git", "-C", folder, *_QUIET, *_PATIENT, *words]
    try:
        # In a session of its own: Ctrl-C at a terminal is the host's to hear, and not git's.
        done = await anyio.run_process(command, check=False, env=env, start_new_session=True)
    except FileNotFoundError:
        reason = "git is not installed"
        raise PortError("io_error", f"a worktree needs git: {reason}", reason=reason) from None
    why = _why(done.stderr, done.returncode)
    return Said(done.returncode == 0, done.stdout.decode(errors="replace"), why)


def _why(text: bytes, status: int) -> str:
    """What git said that went wrong: its first error, as those after it follow from that."""
    lines = text.decode(errors="replace").strip().splitlines()
    for line in lines:
        for word in ("fatal: ", "error: "):
            if line.startswith(word):
                return line.removeprefix(word)
    return lines[-1] if lines else f"git ended with status {status}"


def failed(path: str, reason: str) -> PortError:
    """An error for the author to see."""
    return PortError("io_error", f"worktree: {reason}", path=path, reason=reason)


@dataclass(frozen=True, slots=True)
class Tree:
    """A worktree.

    :ivar repository: a folder of the repository that it belongs to.
    :ivar path: where it is.
    :ivar base: the commit that it began at.
    :ivar branch: the branch that was made for it; None: none was.
    :ivar made: its files are there: nobody has worked in it before.
    """

    repository: str
    path: str
    base: str
    branch: str | None
    made: bool = True

    async def holds(self) -> str | None:
        """What work is in it, such as ``changes``; None: none."""
        if not self.made or not await anyio.Path(self.path).exists():
            return None
        said = await git(self.path, "status", "--porcelain=v2", "--branch")
        if not said.ok:
            raise failed(self.path, f"cannot look at it: {said.err}")
        lines = said.out.splitlines()
        head = next((line[13:] for line in lines if line.startswith("# branch.oid ")), "")
        if any(not line.startswith("#") for line in lines):
            return "changes" if head == self.base else "changes and commits"
        return None if head == self.base else "commits"


class Repository:
    """A repository in which worktrees are made: what changes it is done one after another.

    :param folder: its main worktree, or a folder in it.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self._turn = anyio.Lock()
        self._at_once = anyio.CapacityLimiter(_AT_ONCE)

    async def plan(self, path: str, base: str, branch: str | None) -> Tree:
        """What a worktree is to be.

        :raises PortError: ``io_error`` for a base that is none.
        """
        said = await git(self.folder, "rev-parse", "--verify", "--quiet", f"{base}^{{commit}}")
        if not said.ok:
            raise failed(self.folder, f"base {base!r} is no commit of {self.folder}")
        return Tree(self.folder, path, said.out.strip(), branch, made=False)

    async def add(self, tree: Tree, *, again: bool = False) -> Tree:
        """Makes a worktree as planned, with its files. Cancelled, it leaves none.

        :param again: it was there before: its branch may be too, with its work.
        :raises PortError: ``io_error``, for a branch that exists too.
        """
        how = ("-b", tree.branch) if tree.branch else ("--detach",)
        words = ("worktree", "add", "--quiet", "--no-checkout", *how, tree.path, tree.base)
        async with self._turn:
            with anyio.CancelScope(shield=True):  # a git that is killed leaves its locks to all
                if again:
                    await git(self.folder, "worktree", "prune")
                said = await git(self.folder, *words)
                if again and not said.ok and _is_taken(tree.branch, said.err):
                    words = (*words[:4], tree.path, tree.branch or "")
                    said = await git(self.folder, *words)
        if not said.ok and _is_taken(tree.branch, said.err):
            raise failed(
                self.folder,
                f"branch {tree.branch!r} exists already: delete it (git branch -D), or make the "
                "names differ, as in branch = 'fix/{task_id}'",
            )
        try:
            if not said.ok:  # the branch may be there all the same
                raise failed(self.folder, said.err)
            async with self._at_once:
                with anyio.CancelScope(shield=True):
                    said = await git(tree.path, "reset", "--hard", "--quiet")
            if not said.ok:
                raise failed(tree.path, f"its files cannot be written: {said.err}")
        except BaseException:
            with anyio.CancelScope(shield=True):
                await self.remove(tree)
            raise
        return replace(tree, made=True)

    async def remove(self, tree: Tree) -> None:
        """Removes a worktree whatever it holds, and its branch where that has no commits."""
        async with self._at_once:
            await anyio.to_thread.run_sync(_remove_files, tree.path)
        async with self._turn:
            said = await git(self.folder, "worktree", "remove", "--force", tree.path)
            if tree.branch:
                # Only where it is where it began: commits are somebody's work.
                ref = f"refs/heads/{tree.branch}"
                gone = await git(self.folder, "update-ref", "-d", ref, tree.base)
                if _IS_LOCKED in gone.err:
                    reason = f"branch {tree.branch!r} cannot be deleted: {gone.err}"
                    raise failed(tree.path, reason)
        if not said.ok and "is not a working tree" not in said.err:
            raise failed(tree.path, f"it cannot be removed: {said.err}")


def _is_taken(branch: str | None, said: str) -> bool:
    return branch is not None and "already exists" in said and branch in said


def _remove_files(path: str) -> None:
    shutil.rmtree(path, ignore_errors=True)  # what is left git removes, or says why it cannot


async def repository_of(folder: str) -> Repository:
    """The repository that a folder is in.

    :raises PortError: ``io_error`` where it is in none.
    """
    said = await git(folder, "rev-parse", "--show-toplevel")
    if not said.ok:
        raise failed(
            folder,
            f"{folder} is in no git repository: start the swarm inside one, or leave worktree out",
        )
    return Repository(said.out.rstrip("\n"))
