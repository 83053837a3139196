"""Bounds on paths: what a role admits, with symbolic links resolved."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import anyio
import pytest

from swarm_host import Host, Options, Outcome
from swarm_host.ports.files.bounds import admits
from tests.support import command_line


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with files inside and outside of ``src``, and links between them."""
    monkeypatch.chdir(tmp_path)
    for name in ("src/a.txt", "src/deep/b.txt", "secret/key.txt", "out/.keep"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "src" / "way-out").symlink_to(tmp_path / "secret")
    (tmp_path / "src" / "key-link.txt").symlink_to(tmp_path / "secret" / "key.txt")
    (tmp_path / "alias").symlink_to(tmp_path / "src")
    return tmp_path


@pytest.mark.parametrize(
    ("pattern", "path", "admitted"),
    [
        ("src/**", "src/a.txt", True),
        ("src/**", "src/deep/b.txt", True),
        ("src/**", "src", True),
        ("src/**", "src2/a.txt", False),
        ("src/**", "secret/key.txt", False),
        ("src/**", "src/../secret/key.txt", False),
        ("src/**", "src/way-out/key.txt", False),
        ("src/**", "src/key-link.txt", False),
        ("src/**", "alias/a.txt", True),
        ("alias/**", "src/a.txt", True),
        ("src/*", "src/a.txt", True),
        ("src/*", "src/deep/b.txt", False),
        ("src/?.txt", "src/a.txt", True),
        ("src/?.txt", "src/.txt", False),
        ("src/**/b.txt", "src/deep/b.txt", True),
        ("src/a.txt", "src/a.txt", True),
        ("src/a.txt", "src/a_txt", False),
        ("*.txt", "new.txt", True),
        ("**", "/etc/passwd", False),
        ("/etc/*", "/etc/passwd", True),
    ],
)
def test_a_pattern_admits_resolved_paths(
    tree: Path, pattern: str, path: str, admitted: bool
) -> None:
    assert admits([[pattern]], path) is admitted


def test_every_list_of_patterns_must_admit(tree: Path) -> None:
    assert admits([["src/**"], ["src/deep/**", "out/*"]], "src/deep/b.txt")
    assert not admits([["src/**"], ["src/deep/**", "out/*"]], "src/a.txt")
    assert not admits([["src/**"], []], "src/a.txt")


def test_a_refusal_names_the_role_and_what_a_folder_needs(tree: Path) -> None:
    (tree / "script.lua").write_text(
        """
        swarm.role "reader" { extends = "worker", allow = { read_files = { "src" } } }
        swarm.worker "try" {
          role = "reader",
          run = function() return swarm.fs.read "src/a.txt" end,
        }
        swarm.main(function() return swarm.call "try" end)
        """
    )
    done = command_line.run(str(tree / "script.lua"))
    assert b'out of bounds: role "reader" allows src' in done.stderr
    assert b'for what is in src it needs "src/**"' in done.stderr


SCRIPT = """
swarm.role "reader" {
  extends = "worker",
  allow = { read_files = { "src/**" }, write_files = { "out/*" } },
}
swarm.worker "try" {
  role = "reader",
  run = function(_, call)
    local ok, err = pcall(swarm.fs[call[1]], call[2], call[3])
    if ok then return err end
    return { code = err.code, role = err.role, verb = err.verb, message = err.message }
  end,
}
swarm.worker "inner" { run = function(_, path) return swarm.fs.read(path) end }
swarm.worker "outer" {
  role = "reader",
  run = function(_, path) return swarm.call("inner", path) end,
}
swarm.worker "own" {
  authority = "own",
  run = function(_, path) return swarm.fs.read(path) end,
}
swarm.worker "by-own" {
  role = "reader",
  run = function(_, path) return swarm.call("own", path) end,
}
swarm.main(function(_, ctx) return swarm.call(ctx.input[1], ctx.input[2]) end)
"""


def run(tree: Path, worker: str, value: Any) -> Outcome:
    """What main comes to when it calls a worker of the script."""
    (tree / "script.lua").write_text(SCRIPT)

    async def main() -> Outcome:
        async with Host.load("script.lua", Options(input=[worker, value])) as host:
            return await host.run()

    return anyio.run(main)


@pytest.mark.parametrize(
    "call",
    [
        ["read", "src/a.txt"],
        ["stat", "src"],
        ["exists", "src/none"],
        ["list", "src/deep"],
        ["write", "out/new.txt", "text"],
        ["append", "out/new.txt", "text"],
        ["copy", "src/a.txt", "out/a.txt"],
        ["mkdir", "out/folder"],
    ],
)
def test_what_is_within_bounds_works(tree: Path, call: list[str]) -> None:
    outcome = run(tree, "try", call)
    assert outcome.status == "pass"
    assert not (isinstance(outcome.value, dict) and "code" in outcome.value), outcome.value


@pytest.mark.parametrize(
    ("call", "verb"),
    [
        (["read", "secret/key.txt"], "read_files"),
        (["read", "src/way-out/key.txt"], "read_files"),
        (["read", "src/key-link.txt"], "read_files"),
        (["read", "script.lua"], "read_files"),
        (["stat", "secret"], "read_files"),
        (["exists", "secret/key.txt"], "read_files"),
        (["list", "."], "read_files"),
        (["write", "src/a.txt", "x"], "write_files"),
        (["append", "secret/key.txt", "x"], "write_files"),
        (["copy", "secret/key.txt", "out/key.txt"], "write_files"),
        (["copy", "src/a.txt", "src/c.txt"], "write_files"),
        (["move", "src/a.txt", "out/a.txt"], "write_files"),
        (["remove", "src/a.txt"], "write_files"),
        (["mkdir", "src/folder"], "write_files"),
    ],
)
def test_what_is_out_of_bounds_is_refused(tree: Path, call: list[str], verb: str) -> None:
    before = sorted(str(path) for path in tree.rglob("*"))
    outcome = run(tree, "try", call)
    assert outcome.value["code"] == "role_violation", outcome
    assert outcome.value["role"] == "reader"
    assert outcome.value["verb"] == verb
    after = sorted(str(path) for path in tree.rglob("*"))
    assert [path for path in after if not path.endswith("script.lua")] == before
    assert (tree / "src/a.txt").read_text() == "src/a.txt"


def test_a_glob_finds_only_what_is_within_bounds(tree: Path) -> None:
    found = run(tree, "try", ["glob", "**/*.txt"]).value
    # By whatever name: the alias leads to src, and the links out of src are left out.
    assert found == ["alias/a.txt", "alias/deep/b.txt", "src/a.txt", "src/deep/b.txt"]


def test_a_child_has_no_more_than_its_spawner(tree: Path) -> None:
    assert run(tree, "outer", "src/a.txt").value == "src/a.txt"
    refused = run(tree, "outer", "secret/key.txt")
    assert refused.status == "failed"
    assert "out of bounds" in str(refused.error)
    assert run(tree, "by-own", "secret/key.txt").value == "secret/key.txt"
    assert os.path.exists("secret/key.txt")  # noqa: PTH110 - the working directory is the tree
