"""Worktrees that are cut short while they are made, by Ctrl-C, a timeout or a full disk: nothing of
them is left, and nobody is told of a failure that there was not."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from pathlib import Path

import anyio
import pytest

from swarm_host.ports.contract import PortError
from swarm_host.ports.worktrees.git import Repository, Tree
from swarm_host.ports.worktrees.records import Records
from tests.ports.test_worktrees import nothing_is_left, repository, worker
from tests.support.loading import load
from tests.support.terminal import Terminal
from tests.support.waiting import wait_for

__all__ = ["repository"]

AT_ONCE = 8


@pytest.fixture
def resets(repository: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A git that takes a second to fill a worktree; a file with a line for each that it began."""
    folder, log = repository.parent / "slow", repository.parent / "resets"
    folder.mkdir()
    program = folder / "git"
    slow = f'case " $* " in *" reset "*) echo began >> {log}; sleep 1;; esac'
    program.write_text(f'#!/bin/sh\n{slow}\nexec {shutil.which("git")} "$@"\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return log


def test_ctrl_c_at_a_terminal_is_not_heard_by_git_and_nothing_more_is_begun(
    repository: Path, resets: Path
) -> None:
    fields = 'worktree = { branch = "b/{input.id}" }, command = { "sleep", "1000" }'
    main = """local tasks = {}
      for i = 1, 30 do tasks[i] = swarm.spawn("w", { id = i }) end
      swarm.settle(tasks)"""
    (repository / "x.lua").write_text(worker(fields, main))
    with Terminal(repository, "--view", "off", "x.lua", terminal=True) as run:
        wait_for(resets)
        run.type("\x03")
        assert run.exit_status() == 130
    assert "warn" not in run.said
    assert len(resets.read_text().splitlines()) <= AT_ONCE
    assert nothing_is_left(repository)


def test_a_timeout_counts_while_it_is_made_and_leaves_none(repository: Path, resets: Path) -> None:
    fields = 'worktree = { branch = "b" }, timeout = 0.2, command = { "true" }'
    main = 'local h = swarm.spawn("w", {}) swarm.join(h) return h.status'
    said = load(repository, worker(fields, main))
    assert said.out == "timeout\n"
    assert "warn" not in said.err
    assert resets.exists()
    assert nothing_is_left(repository)


def test_a_full_disk_is_told_of_and_no_half_of_a_record_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write_text(path: Path, text: str) -> int:
        path.touch()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    records = Records()
    monkeypatch.setattr(Path, "write_text", write_text)
    tree = Tree(str(tmp_path), records.place("w"), "base", None)
    with pytest.raises(PortError, match="no space left on device"):
        records.keep(tree)
    records.close()
    assert not records.folder.exists()


@pytest.fixture
def unwilling(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A git that makes the branch of a worktree, and then finds no room for the rest."""
    folder, git = repository.parent / "unwilling", shutil.which("git")
    folder.mkdir()
    program = folder / "git"
    program.write_text(f"""#!/bin/sh
case " $* " in *" worktree add "*)
  {git} -C {repository} branch b
  echo "error: could not write to 'x': No space left on device" >&2
  echo "fatal: so it is" >&2
  exit 128
esac
exec {git} "$@"
""")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


@pytest.mark.usefixtures("unwilling")
def test_one_that_is_not_made_leaves_no_branch_and_its_first_error_is_told(
    repository: Path,
) -> None:
    fields = 'worktree = { branch = "b" }, command = { "true" }'
    said = load(repository, worker(fields, 'return select(2, swarm.join(swarm.spawn "w")).reason'))
    assert said.out == "could not write to 'x': No space left on device\n", said
    assert nothing_is_left(repository)


def test_a_branch_that_is_locked_is_told_of_and_found_later(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("swarm_host.ports.worktrees.git._PATIENT", ())
    state = repository.parent / "state"

    async def play() -> None:
        repo = Repository(str(repository))
        tree = await repo.add(await repo.plan(str(state / "w"), "HEAD", "b"))
        lock = repository / ".git" / "packed-refs.lock"
        lock.touch()
        with pytest.raises(PortError, match=r"branch 'b' cannot be deleted.*packed-refs\.lock"):
            await repo.remove(tree)
        lock.unlink()
        await repo.remove(tree)

    anyio.run(play)
    assert nothing_is_left(repository)
