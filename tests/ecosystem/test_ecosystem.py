"""Libraries that are on this machine run as in plain LuaJIT: trusted all, guarded all but some.

``python -m tests.ecosystem`` prints the whole table; ``LUA_LIBRARIES`` says where libraries are.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.ecosystem.trying import exercises, found, is_there, tried

LIBRARIES = found()

C = "it needs a C module"
NOT_GUARDED = {
    "MessagePack": "it asks string.dump how Lua stores numbers",
    "compat53": "it asks string.dump in which Lua it runs",
    "cjson": C,
    "cosmo": C,
    "copas": C,
    "json": C,
    "leg": C,
    "lfs": C,
    "lpeg": C,
    "lpeg_patterns": C,
    "lemock": "it is a module of the old style: module(...)",
    "luarocks_fs": "it asks os.execute as it loads",
    "md5": C,
    "mime": C,
    "pl_path": C,
    "posix": C,
    "re": C,
    "socket": C,
    "socket_url": C,
    "system": C,
    "term": C,
    "busted": C,
    "pl_pretty": "it takes the metatable of strings away while it reads",
}
"""Why a library does not run in a guarded script."""


@pytest.mark.parametrize("name", [one for one in exercises() if is_there(LIBRARIES, one)])
def test_a_library_runs_as_in_plain_luajit(name: str, tmp_path: Path) -> None:
    problem = tried("plain", LIBRARIES, name, tmp_path)
    if problem:
        pytest.skip(f"not in plain LuaJIT either: {problem}")
    assert tried("trusted", LIBRARIES, name, tmp_path) == ""
    guarded = tried("guarded", LIBRARIES, name, tmp_path)
    assert bool(guarded) == (name in NOT_GUARDED), guarded
