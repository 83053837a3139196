"""The checks of the code itself: format, lint, types, and the Lua files' syntax and names."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from swarm_host.vm import VM
from tests.conftest import IN_CI

ROOT = Path(__file__).resolve().parents[1]
STYLUA = "@johnnymorganz/stylua-bin@2.5.2"
LUA_FOLDERS = ("lua", "scripts", "spec", "tests")


def check(*command: str) -> None:
    """Runs a checker at the top of the project; what it says is the failure."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_python_is_formatted() -> None:
    check(sys.executable, "-m", "ruff", "format", "--check", ".")


def test_python_has_no_lint() -> None:
    check(sys.executable, "-m", "ruff", "check", ".")


def test_python_is_typed() -> None:
    check(sys.executable, "-m", "mypy")


def test_lua_has_no_unused_or_undefined_names() -> None:
    luacheck = shutil.which("luacheck")
    if luacheck is None:
        if IN_CI:
            pytest.fail("luacheck is missing: apt-get install lua-check")
        pytest.skip("luacheck is not installed (Debian and Ubuntu: apt install lua-check)")
    check(luacheck, "--quiet", *LUA_FOLDERS)


def test_lua_is_formatted() -> None:
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip(
            "npm is not installed: it brings StyLua, which looks at the format of Lua files"
        )
    stylua = [npm, "exec", "--yes", f"--package={STYLUA}", "--", "stylua"]
    there = subprocess.run([*stylua, "--version"], cwd=ROOT, capture_output=True, text=True)
    if there.returncode != 0:
        pytest.skip(f"npm could not bring {STYLUA}: {there.stderr.strip()}")
    check(*stylua, "--check", ".")


def test_lua_parses_under_luajit() -> None:
    """Every Lua file compiles with the very LuaJIT that runs it."""
    compiles = VM()._runtime.eval("function(text, name) return loadstring(text, name) ~= nil end")
    files = [path for folder in LUA_FOLDERS for path in (ROOT / folder).rglob("*.lua")]
    assert len(files) > 20
    broken = [str(path) for path in files if not compiles(path.read_bytes(), b"=x")]
    assert broken == []
