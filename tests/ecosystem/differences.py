"""Why a file of a suite that tests Lua does otherwise in the host than in plain LuaJIT."""

from __future__ import annotations

import re
from dataclasses import dataclass

PASSED_OVER = {
    "all.lua": "it runs the others",
    "main.lua": "it tests the program lua",
}
"""File → why it is not run."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A difference that is meant.

    :ivar file: of a suite.
    :ivar tier: trusted, guarded; "": both.
    :ivar check: a pattern that the check's name begins with; "": any.
    :ivar said: a pattern in what it says; "": any.
    """

    file: str
    why: str
    tier: str = ""
    check: str = ""
    said: str = ""


WORDS = "a mistake is told in the host's words"
GUARDED = "guarded scripts have less, and say so: spec/sandbox/sandbox.md, 1 and 8"
COLLECTOR = "the host sets the collector's pace"
WHOLE = "a reader is asked to its end before its text is compiled, so that it may wait"
NOT_RUN = "it did not come to this"
PLACE = "what is C in Lua is Lua here: where pcall itself calls it, an error has no place"
STRINGS = "what is shown of the metatable of strings is a text"
LUA = "print and others that are C in Lua are Lua here, in the order of all that is said"

DIFFERENCES = [
    # LuaJIT's own
    Difference("test.lua", "scripts have `swarm`", "trusted", "lib/contents.lua --- base", "swarm"),
    Difference(
        "test.lua",
        "scripts have `swarm`",
        "trusted",
        "lib/contents.lua --- package.loaded",
        "swarm",
    ),
    Difference("test.lua", "its runner leaves it out without ffi", "guarded", ".*ffi", NOT_RUN),
    Difference("test.lua", GUARDED, "guarded", "lib/contents.lua"),
    Difference("test.lua", GUARDED, "guarded", "lib/base/error.lua"),  # debug.getlocal
    Difference("test.lua", GUARDED, "guarded", "lib/string/(dump|metatable).lua"),
    # PUC-Rio's
    Difference("calls.lua", WHOLE, "trusted", "", "calls.lua:250"),
    Difference("db.lua", LUA, "trusted", "", "db.lua:50"),
    Difference("errors.lua", "a host's error is a table", "guarded", "", "got table"),
    Difference("vararg.lua", "`arg` is there, without being a field of _G", "guarded"),
    # lua-Harness
    Difference("214-coroutine.t", WORDS, "", r" \((8|9|10|19|23)\)"),
    Difference("214-coroutine.t", "an error leaves wrap as it was raised", "", r" \(20\)"),
    Difference("214-coroutine.t", "coroutine.close is there", "", "no coroutine.close"),
    Difference("301-basic.t", COLLECTOR, "trusted", r" \((9|10)\)"),
    Difference("301-basic.t", WORDS, "trusted", r" \(33\)", "not ok"),
    Difference("303-package.t", WORDS, "trusted", "function require"),
    Difference("304-string.t", LUA, "trusted", r"function dump \(C function\)"),
    Difference("231-metatable.t", PLACE, "trusted", r" \(7\)"),
    Difference("301-basic.t", PLACE, "trusted", "function [gs]etfenv"),
    Difference(
        "203-lexico.t", "numbers of LuaJIT's own are tested where there is `ffi`", "guarded"
    ),
    Difference("231-metatable.t", STRINGS, "guarded", "metatable for string"),
    Difference("231-metatable.t", WORDS, "guarded", r" \(7\)"),
    Difference("304-string.t", STRINGS, "guarded", "", "(not ok|'__index' )"),
    Difference("303-package.t", GUARDED, "guarded", r"( \(|table package.loaders)"),
    Difference("308-io.t", GUARDED, "guarded"),
    Difference("403-jit.t", GUARDED, "guarded"),
    # What guarded scripts lack
    Difference("", GUARDED, "guarded", "", r"(guarded scripts|\(invalid_argument\))"),
    Difference("", GUARDED, "guarded", "", r"'(dump|sethook|newproxy|gcinfo|off)' \(a nil value\)"),
]


def reason_for(file: str, tier: str, check: str, said: str) -> str:
    """Why a check differs, or ""."""
    for one in DIFFERENCES:
        if (
            (not one.file or one.file == file)
            and (not one.tier or one.tier == tier)
            and re.match(one.check, check)
            and re.search(one.said, said)
        ):
            return one.why
    return ""
