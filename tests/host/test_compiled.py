"""The host's Lua, compiled once and kept."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from swarm_host.vm import lua_folder
from swarm_host.vm.compiled import modules

COMPILED = b"\x1bLJ"  # what bytecode of LuaJIT begins with


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small host's Lua, and where what is compiled of it is kept."""
    monkeypatch.setattr(sys, "pycache_prefix", str(tmp_path / "cache"))
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    (tmp_path / "lua" / "swarm" / "ground").mkdir(parents=True)
    (tmp_path / "lua" / "swarm.lua").write_text("return 1")
    (tmp_path / "lua" / "swarm" / "ground" / "list.lua").write_text("return 2")
    (tmp_path / "lua" / "types").mkdir()
    (tmp_path / "lua" / "types" / "swarm.lua").write_text("return 3")
    return tmp_path / "lua"


def kept(folder: Path) -> list[Path]:
    return list((folder.parent / "cache").rglob("*.*"))


def names(body: bytes) -> list[str]:
    return [line.split()[0].decode() for line in body[: body.index(b"\n\n")].splitlines()]


def test_each_module_is_compiled_once_and_kept(folder: Path) -> None:
    body = modules(folder)
    assert names(body) == ["swarm", "swarm.ground.list"]
    assert body.count(COMPILED) == 2
    (file,) = kept(folder)
    made = file.stat().st_mtime_ns, file.stat().st_ino
    assert modules(folder) == body
    assert (file.stat().st_mtime_ns, file.stat().st_ino) == made


def test_a_module_that_has_changed_or_gone_is_no_longer_what_is_kept(folder: Path) -> None:
    before = modules(folder)
    file = folder / "swarm" / "ground" / "list.lua"
    file.write_text("return 4")
    os.utime(file, ns=(1, 1))
    after = modules(folder)
    assert after != before
    assert modules(folder) == after
    file.unlink()
    assert names(modules(folder)) == ["swarm"]


@pytest.mark.parametrize("part", [slice(-1), slice(0), slice(8, None)])
def test_what_was_kept_and_is_torn_is_made_anew(folder: Path, part: slice) -> None:
    body = modules(folder)
    (file,) = kept(folder)
    whole = file.read_bytes()
    file.write_bytes(whole[part])
    assert modules(folder) == body
    assert file.read_bytes() == whole


def test_where_nothing_may_be_kept_there_are_the_sources(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    assert b"return 1return 2" in modules(folder)
    assert not kept(folder)
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.setattr(sys, "pycache_prefix", str(folder / "swarm.lua"))  # no folder
    assert b"return 1return 2" in modules(folder)


def test_a_disk_that_is_full_stops_nobody(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write_bytes(self: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", write_bytes)
    assert modules(folder).count(COMPILED) == 2
    assert not kept(folder)


def test_a_module_with_a_mistake_is_there_as_it_is(folder: Path) -> None:
    (folder / "swarm.lua").write_text("return (")
    assert b"return (" in modules(folder)


def test_the_hosts_own_lua_is_whole() -> None:
    found = names(modules(lua_folder()))
    files = [lua_folder() / "swarm.lua", *(lua_folder() / "swarm").rglob("*.lua")]
    assert len(found) == len(files) > 100
    assert "swarm.doors.python" in found
