"""Suites of others that test Lua itself, file by file: in plain LuaJIT, trusted, and guarded.

``LUA_SUITES`` names their folders, with ``:`` between them; none is part of this repository.
``python -m tests.ecosystem.suites`` prints what differs from plain LuaJIT, and why. A suite is
known by its files: ``test.lua`` with an ``index`` runs all of a tree and names each test, as
LuaJIT's does; ``*.t`` print TAP, as lua-Harness does; any other ``*.lua`` passes or fails, as
those of PUC-Rio do.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.ecosystem.differences import PASSED_OVER, reason_for

TIERS = ("trusted", "guarded")
SECONDS = 60
LATE = "it takes too long"

_RUN = """
{before}
local first = {first}
if first then require(first) end
arg = {{ [0] = {file}, [-1] = "lua" }}
assert(loadfile({file}))()
"""
# What a program that runs a tree asks before its first test, answered for guarded scripts: so the
# tests themselves are run.
_ANSWERS = """
local function status()
  return true, "fold", "cse", "dce", "fwd", "dse", "narrow", "loop", "abc", "sink", "fuse"
end
jit = setmetatable({ status = status }, { __index = jit })
string.dump = function() return "" end
debug.traceback = tostring
"""
_PLAIN = """
import sys, ctypes, os
import lupa.luajit21 as luajit
ctypes.CDLL(luajit.__file__, mode=os.RTLD_NOW | os.RTLD_GLOBAL | os.RTLD_NOLOAD)
lua = luajit.LuaRuntime()
lua.execute("python, package.loaded.python = nil")
try:
    lua.execute(open(sys.argv[1]).read())
except luajit.LuaError as problem:
    print(str(problem), file=sys.stderr)
    sys.exit(1)
"""

Outcomes = dict[str, str]
"""Check → "" where it passed, else what it said. The check "" is the file as a whole."""


def suites() -> list[Path]:
    """The folders that were given."""
    return [Path(one) for one in os.environ.get("LUA_SUITES", "").split(":") if one]


def is_tree(suite: Path) -> bool:
    """Whether one file runs all others."""
    return (suite / "test.lua").exists() and (suite / "index").exists()


def files(suite: Path) -> list[str]:
    """The files of a suite that are run."""
    if is_tree(suite):
        return ["test.lua"]
    tap = sorted(path.name for path in suite.glob("*.t"))
    return tap or sorted(path.name for path in suite.glob("*.lua"))


def _checks(out: str) -> Outcomes:
    """What a run printed of its tests, by name: lines of TAP, and those of LuaJIT's runner."""
    found: Outcomes = {}
    name, is_tree = "", False
    for line in out.splitlines():
        tap = re.match(r"(not )?ok \d+(?: - )?(.*)", line)
        tree = re.match(r"\[ *\d+/\d+\] (.*)", line)
        if tap and not re.search(r"# *(TODO|SKIP)", line, re.I):
            name = own_name(found, tap[2])
            found[name], is_tree = "not ok" if tap[1] else "", False
        elif tree:
            name = own_name(found, tree[1])
            found[name], is_tree = "", True
        elif is_tree and found[name] == "" and re.search(r":\d+: ", line):
            found[name] = line  # what LuaJIT's runner says of a test that failed
    return found


def own_name(found: Outcomes, name: str) -> str:
    """A name that no other check has; addresses in it differ from run to run."""
    name = re.sub(r"0x[0-9a-f]+", "0x", name.strip())
    own, n = name, 1
    while own in found:
        n += 1
        own = f"{name} ({n})"
    return own


def ran(suite: Path, file: str, mode: str) -> Outcomes:
    """Runs a file of a suite, in a copy of its folder.

    :param mode: plain, trusted or guarded.
    """
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "suite"
        shutil.copytree(suite, copy)
        first = '"profile_luajit21"' if (copy / "profile_luajit21.lua").exists() else "nil"
        before = _ANSWERS if mode == "guarded" and is_tree(suite) else ""
        body = _RUN.format(before=before, first=first, file=f'"{file}"')
        script = Path(folder) / "run.lua"  # apart from it: what a suite requires is a library
        if mode == "plain":
            script.write_text(body)
            command = [sys.executable, "-c", _PLAIN, str(script)]
        else:
            script.write_text(f"swarm.main(function()\n{body}\nend)\n")
            trust = ["--trust"] if mode == "trusted" else []
            command = [sys.executable, "-m", "swarm_host", "run", "--view", "off", *trust]
            command += ["--lua-path", str(copy), str(script)]
        env = os.environ | {"LUA_PATH": "./?.lua;./?/init.lua"}
        try:
            done = subprocess.run(
                command, cwd=copy, env=env, capture_output=True, timeout=SECONDS, errors="replace"
            )
        except subprocess.TimeoutExpired:
            return {"": LATE}
    found = _checks(done.stdout)
    said = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
    found[""] = "" if done.returncode == 0 or (is_tree(suite) and found) else said[0]
    return found


def differences(plain: Outcomes, tier: Outcomes) -> Outcomes:
    """What a tier has other than plain LuaJIT: the checks that one of them passes."""
    found = {}
    for check, said in plain.items():
        got = tier.get(check, tier[""] or "it did not come to this")
        if bool(said) != bool(got):
            found[check] = got or f"passes, and in plain LuaJIT: {said}"
    return found


def unexplained(file: str, tier: str, found: Outcomes) -> Outcomes:
    """The differences that have no reason in ``differences.py``."""
    return {check: said for check, said in found.items() if not reason_for(file, tier, check, said)}


def main() -> None:
    """Runs every file in every mode."""
    for suite in suites():
        counts = dict.fromkeys(("plain", *TIERS), 0)
        total = without = 0
        print(f"{suite}")
        for file in files(suite):
            if file in PASSED_OVER:
                print(f"  {file}: not run: {PASSED_OVER[file]}")
                continue
            plain = ran(suite, file, "plain")
            if plain[""] == LATE:
                print(f"  {file}: {LATE} in plain LuaJIT")
                continue
            total += len(plain)
            counts["plain"] += sum(not said for said in plain.values())
            for tier in TIERS:
                got = ran(suite, file, tier)
                counts[tier] += sum(not got.get(check, got[""] or "no") for check in plain)
                for check, said in differences(plain, got).items():
                    why = reason_for(file, tier, check, said)
                    without += not why
                    print(
                        f"  {file} {tier}: {check or 'whole'}: {said[:150]} ({why or 'NO REASON'})"
                    )
        passed = ", ".join(f"{mode} {count}" for mode, count in counts.items())
        print(f"of {total} checks: {passed}; without a reason: {without}", flush=True)


if __name__ == "__main__":
    main()
