"""Why a library that runs in plain LuaJIT does not run in a guarded script.

Whatever is not named here runs in both tiers: ``test_ecosystem.py`` holds both ways.
"""

from __future__ import annotations

C = "it needs a C module"
DUMPS = "it asks string.dump in which Lua it runs"

NOT_GUARDED = {
    "MessagePack": DUMPS,
    "busted": C,
    "cjson": C,
    "compat53": DUMPS,
    "copas": C,
    "cosmo": C,
    "json": C,
    "leg": C,
    "lemock": "it is a module of the old style: module(...)",
    "lfs": C,
    "lpeg": C,
    "lpeg_patterns": C,
    "lua_parser": C,
    "luarocks_fs": "it asks os.execute as it loads",
    "lyaml": C,
    "md5": C,
    "mime": C,
    "moonscript": C,
    "pl_path": C,
    "pl_pretty": "it takes the metatable of strings away while it reads",
    "posix": C,
    "re": C,
    "socket": C,
    "socket_url": C,
    "system": C,
    "term": C,
}
"""Exercise → why."""
