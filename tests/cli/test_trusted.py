"""Scripts run with ``--trust``: Lua as it is (``spec/sandbox/sandbox.md``, section 10)."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.loading import swarm_host

# Each prints what its expression gives.
SAYS = {
    'rawget(_G, "unpack") == unpack, rawget(_G, "ffi")': "true nil",
    "getmetatable(_G)": "nil",
    "type(package.loaders), type(package.cpath)": "table string",
    'debug.getmetatable("").__index == string, getmetatable("").__index == string': "true true",
    'debug.setmetatable("", nil), debug.getmetatable(""), ("x"):rep(2)': "true nil xx",
    'getfenv(0) == _G, getfenv() == _G, load("return _G")() == _G': "true true true",
    "#package.loaders, package.loaded['string.buffer']": "4 nil",
    "debug.getfenv(print) == _G, (pcall(setfenv, print, {}))": "true false",
    'select(2, pcall(getfenv, 99)):match "bad.*"': "bad argument #1 to 'getfenv' (invalid level)",
    "debug.setfenv(print, _G) == print, debug.getfenv(print) == _G": "true true",
    'io.type(io.stdout), io.type(io.open("/dev/null")), io.type(1)': "file file nil",
    'io.write("")': "true",
    "undefined_global": "nil",
    'require "ffi".sizeof "int32_t"': "4",
    "arg[1]": "an-argument",
}


def said(tmp_path: Path, code: str) -> str:
    (tmp_path / "script.lua").write_text(code)
    ended = swarm_host(tmp_path, "--trust", "script.lua", "an-argument")
    assert ended.status == 0, ended.err
    return ended.out


@pytest.mark.parametrize("expression", SAYS)
def test_what_lua_has(tmp_path: Path, expression: str) -> None:
    code = f"local function show(...) print(...) end\nswarm.main(function() show({expression}) end)"
    assert said(tmp_path, code).split() == SAYS[expression].split()


def test_a_thread_may_have_globals_of_its_own(tmp_path: Path) -> None:
    code = """
      swarm.main(function()
        local own = { tostring = function(n) return "own " .. tostring(n) end }
        local co = coroutine.create(function()
          print(1)
          return getfenv(0) == own and getfenv(load "") == own
        end)
        debug.setfenv(co, own)
        print(select(2, coroutine.resume(co)), getfenv(0) == _G, getfenv(load "") == _G)
        setfenv(0, own)
        print(getfenv(0) == own, getfenv(load "") == own)
      end)
    """
    assert said(tmp_path, code).splitlines() == [
        "own 1",
        "true\ttrue\ttrue",
        "own true\town true",
    ]


def test_a_metatable_of_strings_that_is_put_back_is_as_it_was(tmp_path: Path) -> None:
    code = """
      swarm.main(function()
        local mt = debug.getmetatable ""
        debug.setmetatable("", { __index = { shout = "!" } })
        print(("").shout, debug.getmetatable("") == mt)
        debug.setmetatable("", mt)
        print(("").shout, debug.getmetatable("").__index == string)
      end)
    """
    assert said(tmp_path, code).splitlines() == ["!\tfalse", "nil\ttrue"]


def test_what_is_set_on_strings_holds_and_takes_nothing_from_the_host(tmp_path: Path) -> None:
    code = """
      local mt = getmetatable ""
      mt.__mod = function(text, value) return text:format(value) end
      mt.__index = function(text, i)
        return type(i) == "number" and string.sub(text, i, i) or string[i]
      end
      swarm.main(function()
        print("%d!" % 5, ("abc")[2], ("a"):upper())
        print(swarm.fs.exists "/", pcall(swarm.fs.read, "/no/such/file"))
      end)
    """
    first, second = said(tmp_path, code).splitlines()
    assert first == "5!\tb\tA"
    assert second.startswith("true\tfalse")
    assert "no such file" in second


def test_a_file_that_is_run_has_the_globals_of_the_script(tmp_path: Path) -> None:
    (tmp_path / "more.lua").write_text("made_there = 1 return _G")
    (tmp_path / "old.lua").write_text(
        'module("old.style", package.seeall) function f() return 7 end'
    )
    code = f"""
      local seen = dofile "{tmp_path}/more.lua"
      print(seen == _G, made_there, loadfile "{tmp_path}/more.lua"() == _G)
      require "old"
      print(old.style.f(), old.style._NAME, old.style._PACKAGE, f)
      setfenv(0, {{ x = 1 }})
      print(getfenv(0).x)
      swarm.main(function() end)
    """
    assert said(tmp_path, code) == "true\t1\ttrue\n7\told.style\told.\tnil\n1\n"


def test_what_is_written_goes_where_output_says(tmp_path: Path) -> None:
    code = f"""
      swarm.main(function()
        io.write "a"
        io.output "{tmp_path}/out.txt"
        io.write "in the file"
        io.close()
        io.output(io.stdout)
        io.stdout:write "b"
        print "c"
      end)
    """
    assert said(tmp_path, code) == "abc\n"
    assert (tmp_path / "out.txt").read_text() == "in the file"


def test_loaders_of_the_scripts_own_are_asked(tmp_path: Path) -> None:
    code = """
      table.insert(package.loaders, 1, function(name)
        return name == "made.up" and function(...) return "made of " .. ... end or "\\n  nothing"
      end)
      swarm.main(function() print(require "made.up", (pcall(require, "no.such"))) end)
    """
    assert said(tmp_path, code) == "made of made.up\tfalse\n"


def test_a_tostring_of_the_scripts_own_is_asked_by_print(tmp_path: Path) -> None:
    code = 'tostring = function() return "mine" end swarm.main(function() print(1, nil) end)'
    assert said(tmp_path, code) == "mine\tmine\n"


C_MODULE = r"""
typedef struct lua_State lua_State;
extern void lua_pushstring(lua_State *, const char *);
int luaopen_deep_own(lua_State *L) { lua_pushstring(L, "from C"); return 1; }
"""


@pytest.mark.skipif(not shutil.which("cc"), reason="a C module has to be compiled")
def test_a_c_module_loads_and_is_refused_to_a_guarded_script_with_advice(tmp_path: Path) -> None:
    folder = tmp_path / "lua_modules" / "lib" / "lua" / "5.1" / "deep"
    folder.mkdir(parents=True)
    (tmp_path / "own.c").write_text(C_MODULE)
    command = ["cc", "-shared", "-fPIC", "-o", str(folder / "own.so"), str(tmp_path / "own.c")]
    subprocess.run(command, check=True)
    code = 'swarm.main(function() print(require "deep.own") end)'
    assert said(tmp_path, code) == "from C\n"
    ended = swarm_host(tmp_path, "script.lua")
    assert ended.status == 1
    assert re.search(r'"deep.own" is a C module, .*own.so, and guarded scripts load', ended.err)


def test_a_c_module_of_a_tree_that_was_named_is_refused_with_advice(tmp_path: Path) -> None:
    (tmp_path / "tree/share/lua/5.1").mkdir(parents=True)
    (tmp_path / "tree/lib/lua/5.1").mkdir(parents=True)
    (tmp_path / "tree/lib/lua/5.1/own.so").write_bytes(b"")
    (tmp_path / "script.lua").write_text('swarm.main(function() require "own" end)')
    ended = swarm_host(tmp_path, "--lua-path", "tree/share/lua/5.1", "script.lua")
    assert ended.status == 1
    assert 'module "own" is a C module, tree/lib/lua/5.1/own.so, and guarded' in ended.err


def test_exit_hands_over_what_was_said_and_leaves_no_process(tmp_path: Path) -> None:
    code = f"""
      swarm.main(function()
        swarm.spawn(function() swarm.exec {{ "sh", "-c", "sleep 5; touch {tmp_path}/lived" }} end)
        swarm.sleep(0.2)
        print "last words"
        os.exit(3)
      end)
    """
    (tmp_path / "script.lua").write_text(code)
    ended = swarm_host(tmp_path, "--trust", "script.lua")
    assert (ended.status, ended.out) == (3, "last words\n")
