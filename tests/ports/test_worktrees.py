"""Worktrees: what a worker finds in one, its end, many at once, and what a killed host left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.loading import MAIN, Said, load, refused, swarm_host
from tests.support.waiting import wait_for


def git(folder: Path, *words: str) -> str:
    done = subprocess.run(["git", *words], cwd=folder, capture_output=True, check=True)
    return done.stdout.decode()


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with one file, a home for worktrees beside it, and nobody's settings."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    for name in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{name}_NAME", "somebody")
        monkeypatch.setenv(f"GIT_{name}_EMAIL", "somebody@example.com")
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    (folder / "a.txt").write_text("one\n")
    (folder / ".gitignore").write_text("ignored\nx.lua\n")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "first")
    return folder


def trees(folder: Path) -> list[str]:
    """The worktrees that git knows beside the first."""
    lines = git(folder, "worktree", "list", "--porcelain").splitlines()
    return [line.removeprefix("worktree ") for line in lines if line.startswith("worktree ")][1:]


def branches(folder: Path) -> list[str]:
    return git(folder, "branch", "--format=%(refname:short)").split()


def nothing_is_left(folder: Path) -> bool:
    state = folder.parent / "state" / "swarm-host" / "worktrees"
    return not trees(folder) and branches(folder) == ["main"] and not list(state.glob("*"))


def worker(fields: str, main: str = 'return swarm.call("w", { id = 7 })') -> str:
    return f'swarm.worker "w" {{ {fields} }}\nswarm.main(function()\n{main}\nend)\n'


def runs(folder: Path, text: str, *options: str) -> Said:
    said = load(folder, text, *options)
    assert said.status == 0, said
    return said


def test_a_program_runs_in_its_tree_which_is_gone_after(repository: Path) -> None:
    fields = """
      worktree = { branch = "fix/{input.id}" },
      command = { "sh", "-c", "pwd; cat a.txt; git branch --show-current; echo $0", "{worktree}" },
      output = { format = "lines" }
    """
    said = runs(repository, worker(fields))
    path, *rest = json.loads(said.out)
    assert rest == ["one", "fix/7", path]
    assert said.err == ""  # nothing stays, and so nothing is told
    assert path.startswith(str(repository.parent / "state"))
    assert nothing_is_left(repository)


def test_a_relative_cwd_is_in_it_and_so_is_exec(repository: Path) -> None:
    (repository / "below").mkdir()
    (repository / "below" / "b.txt").write_text("b")
    git(repository, "add", ".")
    git(repository, "commit", "-qm", "second")
    fields = (
        'worktree = true, command = { "cat", "b.txt" }, cwd = "below", output = { format = "text" }'
    )
    assert runs(repository, worker(fields)).out == "b\n"
    fields = """worktree = { base = "HEAD~1" }, run = function(ctx)
      local at = swarm.exec { "pwd" }.stdout
      return { at == ctx.worktree .. "\\n", swarm.fs.exists(ctx.worktree .. "/below") }
    end"""
    assert runs(repository, worker(fields)).out == "[true,false]\n"
    assert nothing_is_left(repository)


WORK = {
    "changes": "echo two >> a.txt",
    "changes ": "touch new.txt",
    "commits": "git commit -q --allow-empty -m more",
    "changes and commits": "git commit -q --allow-empty -m more; touch new.txt",
}


@pytest.mark.parametrize("holds", WORK)
def test_a_tree_that_holds_work_stays_and_is_named(repository: Path, holds: str) -> None:
    fields = f'worktree = {{ branch = "fix" }}, shell = "{WORK[holds]}; pwd"'
    said = runs(repository, worker(fields, 'return swarm.call("w").raw'))
    path = said.out.strip()
    assert trees(repository) == [path]
    told = f'1 worktree stays:\n  worker "w" (T-2): {path} (branch fix): {holds.strip()}\n'
    assert told in said.err


def test_ignored_files_are_no_work(repository: Path) -> None:
    runs(repository, worker('worktree = true, shell = "touch ignored"'))
    assert nothing_is_left(repository)


def test_keep_never_keeps_a_branch_with_commits_and_no_tree(repository: Path) -> None:
    text = 'worktree = { branch = "b", keep = "never" }, shell = "%s"'
    runs(repository, worker(text % "touch new.txt"))
    assert nothing_is_left(repository)
    runs(repository, worker(text % "git commit -q --allow-empty -m more"))
    assert trees(repository) == []
    assert branches(repository) == ["b", "main"]


def test_keep_always_keeps_it(repository: Path) -> None:
    said = runs(repository, worker('worktree = { keep = "always" }, shell = "true"'))
    assert len(trees(repository)) == 1
    assert "no work" in said.err


def test_it_is_one_for_all_attempts_and_gone_before_the_join(repository: Path) -> None:
    fields = """
      worktree = { keep = "never" }, retries = { max = 2, backoff = 0 },
      run = function(ctx)
        swarm.exec { "sh", "-c", "echo x >> tries" }
        local tries = swarm.exec { "cat", "tries" }.stdout
        if ctx.attempt < 3 then error "again" end
        return { path = ctx.worktree, tries = tries }
      end"""
    main = """
      local h = swarm.spawn("w")
      local value = swarm.result(h)
      return { value.tries, swarm.fs.exists(value.path), h.worktree == value.path }
    """
    assert json.loads(runs(repository, worker(fields, main)).out) == ["x\nx\nx\n", False, True]
    assert nothing_is_left(repository)


@pytest.mark.parametrize(
    ("end", "main"),
    {
        "failed": 'swarm.settle { swarm.spawn("w", { fail = true }) }',
        "timeout": 'swarm.settle { swarm.spawn("w", {}, { timeout = 0.3 }) }',
        "cancelled": """
          local h = swarm.spawn("w", {})
          while not h.worktree do swarm.sleep(0.01) end
          swarm.cancel(h, "enough", { wait = true })
        """,
        "between two attempts": """
          local h = swarm.spawn("w", { fail = true }, { retries = { max = 1, backoff = 30 } })
          while h.attempt == 1 do swarm.sleep(0.01) end
          swarm.cancel(h, "enough", { wait = true })
        """,
        "of the run": 'swarm.spawn("w", {}, { detached = true }) swarm.sleep(0.3) error "over"',
    }.items(),
)
def test_it_is_gone_after_every_end(repository: Path, end: str, main: str) -> None:
    fields = """worktree = { branch = "b" }, run = function(_, input)
      if input.fail then error "it failed" end
      swarm.sleep(3600)
    end"""
    said = load(repository, worker(fields, main))
    assert said.status == (1 if end == "of the run" else 0), said
    assert nothing_is_left(repository)


def test_two_hundred_at_once_know_no_locks(repository: Path) -> None:
    fields = 'worktree = { branch = "fix/{input.id}" }, shell = "cat a.txt"'
    main = """
      local items = {}
      for i = 1, 200 do items[i] = { id = i } end
      local values = swarm.map("w", items)
      return #values
    """
    assert runs(repository, worker(fields, main)).out == "200\n"
    assert nothing_is_left(repository)


WRONG = {
    "worktree = 5": "worktree must be true, or a table such as",
    "worktree = { brnch = 'x' }": 'worktree has no field "brnch"; did you mean branch?',
    "worktree = { branch = 5 }": "worktree.branch must be a text, and is 5",
    "worktree = { branch = '{inptu.id}' }": "{inptu.id} is no placeholder; did you mean {in",
    "worktree = { branch = '{token}' }": "worktree.branch cannot have {token}",
    "worktree = { keep = 'all' }": 'worktree.keep must be "changed", "always" or "never"',
}


@pytest.mark.parametrize("field", WRONG)
def test_a_wrong_field_is_a_load_error(tmp_path: Path, field: str) -> None:
    text = f'swarm.worker "w" {{ {field}, run = print }}\n{MAIN}'
    assert WRONG[field] in refused(tmp_path, text)


def test_outside_a_repository_it_says_so(
    tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    outside = tmp_path / "outside"
    outside.mkdir()
    said = load(outside, worker("worktree = true, run = print"))
    assert said.status == 1
    assert f"{outside} is in no git repository: start the swarm inside one" in said.err


def test_a_branch_that_exists_and_a_base_that_does_not_say_so(repository: Path) -> None:
    git(repository, "branch", "taken")
    said = load(repository, worker('worktree = { branch = "taken" }, run = print'))
    assert said.status == 1
    assert "branch 'taken' exists already: delete it" in said.err
    said = load(repository, worker('worktree = { base = "nowhere" }, run = print'))
    assert f"base 'nowhere' is no commit of {repository}" in said.err
    git(repository, "branch", "-D", "taken")
    assert nothing_is_left(repository)


def test_what_a_killed_host_left_is_found(repository: Path) -> None:
    fields = """worktree = { branch = "b/{input.id}" }, run = function(ctx, input)
      if input.id == 2 then swarm.exec { "touch", "work" } end
      swarm.fs.write("ready" .. input.id, "")
      swarm.sleep(3600)
    end"""
    (repository / "x.lua").write_text(worker(fields, 'swarm.map("w", { { id = 1 }, { id = 2 } })'))
    host = subprocess.Popen(
        [sys.executable, "-m", "swarm_host", "--no-journal", "x.lua"], cwd=repository
    )
    try:
        wait_for(repository / "ready1")
        wait_for(repository / "ready2")
        assert swarm_host(repository, "prune").out == ""  # its host lives
    finally:
        host.send_signal(signal.SIGKILL)
        host.wait()
    one, two = sorted(trees(repository))
    listed = swarm_host(repository, "prune").out.splitlines()
    assert listed == [f"{one}, branch b/1: holds no work", f"{two}, branch b/2: holds changes"]
    removed = swarm_host(repository, "prune", "--yes", "--json").out.splitlines()
    assert [json.loads(line)["removed"] for line in removed] == [True, False]
    assert trees(repository) == [two]
    assert swarm_host(repository, "prune", "--changed").out.endswith("holds changes, removed\n")
    assert swarm_host(repository, "prune").out == ""
    assert nothing_is_left(repository)


HUNDRED = """
swarm.pool "plan" { slots = 8, park = true }
swarm.worker "agent" {
  pool = "plan",
  worktree = { branch = "fix/{input.id}", keep = "never" },
  timeout = 4,
  run = function(ctx, input)
    swarm.exec { "touch", "work" .. input.id }
    ctx:usage { cost = 0.01 }
    if input.id <= 5 then
      swarm.sleep(3600)
    elseif input.id <= 9 and ctx.attempt == 1 then
      error { code = "limited", retry_at = swarm.now() + 2 }
    elseif input.id >= 99 then
      error "it failed"
    end
    swarm.sleep(0.1)
    return { attempt = ctx.attempt, path = ctx.worktree }
  end,
}
swarm.main(function(_, ctx)
  local items = {}
  for i = 1, 100 do items[i] = { id = i } end
  local began = swarm.monotonic()
  local values, errors = swarm.map("agent", items, { keep_going = true })
  local told, again, paths = {}, 0, {}
  for _, err in pairs(errors) do told[err.code] = (told[err.code] or 0) + 1 end
  for _, value in pairs(values) do
    again = again + (value.attempt == 2 and 1 or 0)
    paths[value.path] = true
  end
  local different = 0
  for _ in pairs(paths) do different = different + 1 end
  return { told = told, again = again, different = different, cost = ctx.usage.cost }
end)
"""


def test_a_hundred_in_a_pool_are_all_told_and_leave_nothing(repository: Path) -> None:
    said = runs(repository, HUNDRED)
    found = json.loads(said.out)
    assert found.pop("cost") == pytest.approx(1.04)
    assert found == {"told": {"timeout": 5, "failed": 2}, "again": 4, "different": 93}
    assert 'pool "plan" is at its limit for 2 s' in said.err
    assert nothing_is_left(repository)
