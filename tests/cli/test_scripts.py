"""Scripts that do not load, as ``spec/sandbox/scripts.md`` has it: one paragraph, right status."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import anyio
import pytest

from swarm_host import Host
from tests.support.loading import MAIN, load, refused, swarm_host

# Definitions -------------------------------------------------------------------------------------

WRONG = {
    'swarm.worker "x"\n': '1: worker "x" has no table: write swarm.worker "x" { run =',
    'swarm.worker "x" {}': '1: worker "x" does not say what it runs: it needs ',
    'swarm.worker "x" { rnu = print }': '1: worker "x" has no field "rnu"; did you mean run?',
    'swarm.worker "x" { run = print, timeot = 1 }': 'has no field "timeot"; did you mean timeout?',
    'swarm.worker "x" { run = print, zzzzzz = 1 }': "its fields are authority, budget, cache, conc",
    'swarm.worker "x" { run = print, 5 }': 'worker "x" has no field 1',
    'swarm.worker "x" { run = 5 }': "run must be a function, and is 5",
    'swarm.worker "x" { run = print, timeout = "5" }': "timeout must be a number of seconds",
    'swarm.worker "x" { run = print, timeout = 0 }': "above zero, and is 0",
    'swarm.worker "x" { run = print, timeout = -1 }': "above zero, and is -1",
    'swarm.worker "x" { run = print, timeout = 0/0 }': "above zero, and is nan",
    'swarm.worker "x" { run = print, timeout = 1/0 }': "above zero, and is inf",
    'swarm.worker "x" { run = print, concurrency = 0 }': "concurrency must be a whole number",
    'swarm.worker "x" { run = print, concurrency = 1.5 }': "one or more, and is 1.5",
    'swarm.worker "x" { run = print, description = {} }': "description must be a string",
    'swarm.worker "x" { run = print, label = 5 }': "must be a text, or false for none, and is 5",
    'swarm.worker "x" { run = print, label = true }': "label must be a text, or false for none",
    'swarm.worker "x" { run = print, label = "{token}" }': "label cannot have {token}: people",
    'swarm.worker "x" { run = print, label = "a {prompt_file}" }': "cannot have {prompt_file}: ",
    'swarm.worker "x" { run = print, label = "{agent}" }': "a worker's name is {name}, not {agent}",
    'swarm.worker "x" { run = print, kind = "lau" }': 'there is no kind "lau"; did you mean lua?',
    'swarm.worker "x" { run = print, kind = 5 }': "there is no kind 5",
    'swarm.worker "x" { kind = "process", run = print }': (
        'has no field "run": it is of kind lua, and this worker is of kind process'
    ),
    'swarm.worker "x" { kind = "agent" }': "is of kind agent and needs the field agent",
    'swarm.worker "x" { kind = "shell" }': 'write shell = "..." and leave kind out',
    'swarm.worker "x" { agent = "cloude" }': 'there is no agent "cloude"; did you mean claude?',
    'swarm.worker "x" { command = "echo {prompt}" }': 'command = { "echo", "{prompt}" }',
    'swarm.worker "x" { command = "a | b" }': 'what a shell is to read into shell = "..."',
    'swarm.worker "x" { kind = "lua" }': "is of kind lua and needs the field run",
    'swarm.worker "x" (5)': 'worker "x" takes a table of fields, and got 5',
    'swarm.worker("x", nil)': 'worker "x" takes a table of fields, and got nil',
    "swarm.worker {}": "swarm.worker takes a name, and got a table",
    'swarm.worker ""': 'swarm.worker takes a name, and got ""',
    "swarm.worker()": "swarm.worker takes a name, and got nil",
    "swarm.main()": "swarm.main takes a function, and got nil",
    'swarm.main "x"': 'swarm.main takes a function, and got "x"',
    "swarm.main { rum = print }": 'swarm.main has no field "rum"; it has run and budget',
    "swarm.main { budget = { cost = 1 } }": "swarm.main takes a function, and got nil",
    "swarm.main { run = print, budget = { cots = 1 } }": 'budget has no "cots"; did you mean cost?',
    'swarm.worker "x" { run = print, budget = 5 }': "budget must be amounts such as { cost = 5 }",
    'swarm.worker "x" { run = print, budget = { cost = 0 } }': "must be a number above zero, and",
    'swarm.worker "x" { command = { "a" }, budget = { cost = 1 } }': (
        'worker "x": budget.cost cannot be kept: the worker tells no usage'
    ),
}


@pytest.mark.parametrize("definition", WRONG)
def test_a_wrong_definition_names_its_line_and_what_is_wrong(
    tmp_path: Path, definition: str
) -> None:
    first = refused(tmp_path, f"{definition}\n{MAIN}")
    assert first.startswith("x.lua:1: ")
    assert WRONG[definition] in first


LATER_LINES = {  # where the wrong field stands, and its line
    'swarm.worker "x" {\n  run = print,\n  timeot = 1,\n}': 3,
    'swarm.worker("x", {\n  run = print,\n\n  timeot = 1 })': 4,
    "swarm.worker 'x'\n{\n  run = function() timeot = 2 end,\n  ['timeot'] = 1,\n}": 4,
    'swarm.worker "x" {\n  -- timeot = 1\n  run = function()\n  local a = { timeot = 1 }\n  '
    "if a then timeot = 1 end end,\n  description = [[\n timeot = 1,]],\n  timeot = 1,\n}": 8,
    'swarm.worker "x" {\n  command = {\n    "a",\n    5,\n  },\n}': 4,
    'swarm.worker "x" {\n  command = { "a" },\n  env = {\n    A = "b",\n    B = 5,\n  },\n}': 5,
    'swarm.worker "x" {\n  command = { "a" },\n  limits = {\n    line = 0,\n  },\n}': 4,
    'swarm.command "x" {\n  shell = "a",\n  kil_after = 5,\n}': 3,
    'swarm.worker "x" {\n  timeout = 5,\n  command = "no-such",\n}': 3,
    # The text leaves a doubt, so it is the definition's own line.
    'local t = {\n  run = print, timeot = 1 }\nswarm.worker "x" (t)': 3,
    'local w = swarm.worker\nw "x" {\n  run = print,\n  timeot = 1,\n}': 2,
    'swarm.worker "x" {\n  run = print,\n  timeot = 1,\n  timeot = 1,\n}': 1,
}


@pytest.mark.parametrize("definition", LATER_LINES)
def test_a_wrong_field_is_told_at_its_own_line(tmp_path: Path, definition: str) -> None:
    assert refused(tmp_path, f"{definition}\n{MAIN}").startswith(
        f"x.lua:{LATER_LINES[definition]}: "
    )


def test_the_mistakes_of_a_definition_are_told_together(tmp_path: Path) -> None:
    text = """
swarm.worker "x" {
  kill_after = -1,
  command = { "a", 5 },
  timeot = 1,
  timeout = "a",
  stdin = "{promt}",
}
"""
    said = load(tmp_path, text + MAIN)
    assert said.status == 2
    starts = [line.strip().partition(' "x"')[0] for line in said.err.splitlines()[:5]]
    assert starts == [
        "error: x.lua:3: worker",
        "x.lua:4: worker",
        "x.lua:5: worker",
        "x.lua:6: worker",
        "x.lua:7: worker",
    ]
    many = "".join(f"  field_{n} = {n},\n" for n in range(100))
    said = load(tmp_path, f'swarm.worker "x" {{\n  run = print,\n{many}}}\n{MAIN}')
    assert said.err.count("has no field") == 8
    assert "\n  and 92 more" in said.err


def test_a_name_used_twice_names_both_places(tmp_path: Path) -> None:
    text = 'swarm.worker "x" { run = print }\n\nswarm.worker("x", { run = print })\n'
    first = refused(tmp_path, text + MAIN)
    assert first == 'x.lua:3: worker "x" is defined twice; the first is at x.lua:1'


def test_a_name_whose_table_has_not_come_cannot_be_used_again(tmp_path: Path) -> None:
    text = 'local x = swarm.worker "x"\nswarm.worker "x" { run = print }\n'
    assert "x.lua:2" in refused(tmp_path, text + MAIN)


def test_a_definition_takes_one_table(tmp_path: Path) -> None:
    text = 'local x = swarm.worker "x"\nx { run = print }\nx { run = print }\n'
    assert refused(tmp_path, text) == 'x.lua:3: worker "x" was given its table already'


def test_main_twice_names_both_places(tmp_path: Path) -> None:
    first = refused(tmp_path, f"{MAIN}{MAIN}")
    assert first == "x.lua:2: swarm.main is there twice; the first is at x.lua:1"


def test_a_wrong_definition_in_a_module_names_the_module(tmp_path: Path) -> None:
    (tmp_path / "m.lua").write_text('\nswarm.worker "x" { rnu = print }')
    assert refused(tmp_path, 'require "m"\n').startswith("m.lua:2: ")


def test_a_definition_in_a_worker_is_an_error_of_the_run(tmp_path: Path) -> None:
    said = load(tmp_path, 'swarm.main(function()\n  swarm.worker "x" { run = print }\nend)')
    assert said.status == 1
    assert said.err.startswith("error: x.lua:2: swarm.worker belongs at the top of a script")


@pytest.mark.parametrize("text", ["", "\n\n", "-- only comments\n", "--[[ x ]]", "return 5"])
def test_a_script_without_main_loads_and_does_not_run(tmp_path: Path, text: str) -> None:
    assert "no main: add swarm.main(function(args, ctx) ... end)" in refused(tmp_path, text)
    assert swarm_host(tmp_path, "check", "x.lua").status == 0


# Text --------------------------------------------------------------------------------------------

NEWER = {
    "local a = 7 // 2": "write math.floor(a / b)",
    "local a = 7 & 2": "write bit.band(a, b)",
    "local a = 7 | 2": "write bit.bor(a, b)",
    "local a = ~7": "bit.bnot(a)",
    "local a = 7 << 2": "write bit.lshift(a, n)",
    "local a = 7 >> 2": "write bit.rshift(a, n)",
    "local a <const> = 7": "`<const>` is Lua 5.4: leave it out",
    "local a <close> = 7": "`<close>` is Lua 5.4",
    "if 1 != 2 then end": "write `~=`",
    "if true && false then end": "write `and`",
    "if true || false then end": "write `or`",
    "x += 1": "write a = a + b",
    "x -= 1": "write a = a + b",
    "for i = 1, 2 do continue end": "write `goto continue`",
    'local a = "x" .. (7 // 2) -- "': "write math.floor(a / b)",
}


@pytest.mark.parametrize("line", NEWER)
def test_syntax_of_newer_lua_gets_a_hint(tmp_path: Path, line: str) -> None:
    first = refused(tmp_path, f"-- a script\n{line}\n{MAIN}")
    assert first.startswith("x.lua:2: ")
    assert NEWER[line] in first
    assert "LuaJIT" in first


@pytest.mark.parametrize(
    "text",
    ["local t = ((((", "while true do", "goto nowhere", 'x = "abc', "local = 5 -- //", "end"],
)
def test_other_syntax_errors_name_the_line_and_get_no_hint(tmp_path: Path, text: str) -> None:
    first = refused(tmp_path, f"\n{text}")
    assert first.startswith("x.lua:2: ")
    assert "LuaJIT" not in first


def test_a_syntax_error_is_one_line_and_the_place_in_it(tmp_path: Path) -> None:
    first, source, caret = load(tmp_path, "local = 5").err.splitlines()
    assert first.startswith("error: x.lua:1: ")
    assert source == "  1 | local = 5"
    assert caret == "    |       ^"


@pytest.mark.parametrize(
    "head", [b"#!/usr/bin/env swarm-host\n", b"\xef\xbb\xbf", b"\xef\xbb\xbf#!/x\n"]
)
def test_a_line_for_the_shell_and_a_byte_order_mark_are_passed_over(
    tmp_path: Path, head: bytes
) -> None:
    said = load(tmp_path, head + b"swarm.main(function() return 7 end)")
    assert (said.status, said.out) == (0, "7\n")


def test_lines_keep_their_numbers_after_a_line_for_the_shell(tmp_path: Path) -> None:
    assert refused(tmp_path, '#!/x\nerror "here"').startswith("x.lua:2: here")


def test_windows_line_ends_are_line_ends(tmp_path: Path) -> None:
    assert refused(tmp_path, 'local a = 1\r\n\r\nerror "here"\r\n').startswith("x.lua:3: here")


def test_a_script_that_is_not_utf_8_keeps_its_bytes(tmp_path: Path) -> None:
    said = load(tmp_path, b'swarm.main(function() return #"\xff\xe9" end)')
    assert (said.status, said.out) == (0, "2\n")


@pytest.mark.parametrize(
    "text", [b"\x1bLJ\x02\x02", b"\x1bLua", b"\xef\xbb\xbf\x1bLJ", b"#\n\x1bLJ"]
)
def test_bytecode_is_refused(tmp_path: Path, text: bytes) -> None:
    refused(tmp_path, text)


@pytest.mark.parametrize("text", [b"\xff\xfe", b"\x00", b"\x89PNG\r\n\x1a\n", b"PK\x03\x04", b"{}"])
def test_what_is_no_script_at_all_is_one_line(tmp_path: Path, text: bytes) -> None:
    assert refused(tmp_path, text).startswith("x.lua:")


# Files -------------------------------------------------------------------------------------------


def test_a_script_that_is_not_there_is_named(tmp_path: Path) -> None:
    said = swarm_host(tmp_path, "nowhere.lua")
    assert said.status == 2
    assert said.err == "error: cannot read script nowhere.lua: no such file or directory\n"


def test_a_folder_is_no_script(tmp_path: Path) -> None:
    said = swarm_host(tmp_path, ".")
    assert said.status == 2
    assert said.err == "error: cannot read script .: it is a folder; name the script in it\n"


def test_a_path_through_a_file_is_no_script(tmp_path: Path) -> None:
    (tmp_path / "x.lua").write_text(MAIN)
    said = swarm_host(tmp_path, "x.lua/y.lua")
    assert said.status == 2
    assert said.err == "error: cannot read script x.lua/y.lua: not a directory\n"


def test_a_folder_called_swarm_is_the_authors(tmp_path: Path) -> None:
    (tmp_path / "swarm").mkdir()
    (tmp_path / "swarm" / "x.lua").write_text('swarm.main(function()\n  error "mine"\nend)')
    done = subprocess.run(
        [sys.executable, "-m", "swarm_host", "swarm/x.lua"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("error: swarm/x.lua:2: mine\n  swarm/x.lua:2: in function")


# require -----------------------------------------------------------------------------------------


def module(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.mark.parametrize(
    "place",
    [
        "a/b.lua",
        "a/b/init.lua",
        "lua/a/b.lua",
        "lua/a/b/init.lua",
        "lua_modules/share/lua/5.1/a/b.lua",
        "lua_modules/share/lua/5.1/a/b/init.lua",
        "more/a/b.lua",
        "more/a/b/init.lua",
        "other/a/b.luax",
    ],
)
def test_a_module_is_found_in_each_place(tmp_path: Path, place: str) -> None:
    module(tmp_path, place, "return 'found'")
    text = 'local b = require "a.b"\nswarm.main(function() return b end)'
    said = load(tmp_path, text, "--lua-path", "more", "--lua-path", "other/?.luax")
    assert (said.status, said.out) == (0, "found\n")


def test_a_module_beside_the_script_goes_before_all_others(tmp_path: Path) -> None:
    for place in ("m.lua", "lua/m.lua", "lua_modules/share/lua/5.1/m.lua", "more/m.lua"):
        module(tmp_path, place, f"return '{place}'")
    text = 'local m = require "m"\nswarm.main(function() return m end)'
    assert load(tmp_path, text, "--lua-path", "more").out == "m.lua\n"


def test_modules_are_beside_the_script_and_not_in_the_working_directory(tmp_path: Path) -> None:
    module(tmp_path, "m.lua", "return 'of the working directory'")
    module(tmp_path, "inner/m.lua", "return 'of the script'")
    module(tmp_path, "inner/x.lua", 'local m = require "m" swarm.main(function() return m end)')
    assert swarm_host(tmp_path, "inner/x.lua").out == "of the script\n"


@pytest.mark.parametrize("options", [(), ("--trust",)])
def test_a_module_that_is_not_there_lists_all_places(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    said = load(
        tmp_path, 'require "a.b"', "--lua-path", "more", "--lua-path", "other/?.luax", *options
    )
    assert said.status == 2
    places = said.err.splitlines()
    assert ("  ./a/b.lua" in places) == ("--trust" in options)  # the machine's places
    assert places[:10] + places[-3:] == [
        'error: x.lua:1: module "a.b" not found; tried:',
        "  a/b.lua",
        "  a/b/init.lua",
        "  lua/a/b.lua",
        "  lua/a/b/init.lua",
        "  lua_modules/share/lua/5.1/a/b.lua",
        "  lua_modules/share/lua/5.1/a/b/init.lua",
        "  more/a/b.lua",
        "  more/a/b/init.lua",
        "  other/a/b.luax",
        '  1 | require "a.b"',
        "    |          ^",
        "  x.lua:1: in main chunk",
    ]


def test_a_module_that_is_not_there_in_a_module_is_its_error(tmp_path: Path) -> None:
    module(tmp_path, "m.lua", '\nlocal n = require "n"')
    assert refused(tmp_path, 'require "m"').startswith('m.lua:2: module "n" not found')


def test_a_module_that_does_not_parse_is_named_with_its_line(tmp_path: Path) -> None:
    module(tmp_path, "m.lua", "\n\nlocal a = 1 // 2")
    first = refused(tmp_path, 'require "m"')
    assert first.startswith("m.lua:3: ")
    assert "math.floor" in first


def test_a_module_of_bytecode_is_refused(tmp_path: Path) -> None:
    module(tmp_path, "m.lua", "\x1bLJ\x02")
    assert refused(tmp_path, 'require "m"') == (
        "m.lua:1: this is Lua bytecode; only source text is loaded"
    )


def test_an_error_in_a_module_shows_the_way_there(tmp_path: Path) -> None:
    module(tmp_path, "m.lua", 'local n = require "n"\nreturn n')
    module(tmp_path, "n.lua", '\nerror "deep"')
    said = load(tmp_path, '\n\nlocal m = require "m"\nreturn m')
    assert said.status == 2
    assert said.err.splitlines() == [
        "error: n.lua:2: deep",
        '  2 | error "deep"',
        "    | ^",
        "  n.lua:2: in main chunk",
        "  m.lua:1: in main chunk",
        "  x.lua:3: in main chunk",
    ]


def test_modules_that_require_each_other_are_named_in_order(tmp_path: Path) -> None:
    for name, following in (("a", "b"), ("b", "c"), ("c", "a")):
        module(tmp_path, f"{name}.lua", f'local x = require "{following}"\nreturn x')
    first = refused(tmp_path, 'require "a"')
    assert first == 'c.lua:1: module "a" requires itself, by way of a -> b -> c -> a'


def test_a_script_that_requires_itself_is_named(tmp_path: Path) -> None:
    assert "requires itself, by way of x -> x" in refused(
        tmp_path, 'local x = require "x" return x'
    )


# What an author raises ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raised", "shown"),
    [
        ('"plain"', "x.lua:1: plain"),
        ('"no place", 0', "x.lua:1: no place"),
        ('{ code = "mine", message = "my own" }', "x.lua:1: my own (mine)"),
        ("nil", "x.lua:1: an error that is nil"),
        ("5", "x.lua:1: "),
        ("print", "x.lua:1: an error that is a function"),
        ("setmetatable({}, { __tostring = function() return 'shown' end })", "x.lua:1: shown"),
        ("setmetatable({}, { __tostring = error, __index = error })", "x.lua:1: "),
        ("{ errors = 5, cause = 'x', where = {}, code = {}, message = {} }", ""),
        ("swarm", "x.lua:1: an error"),
    ],
)
@pytest.mark.parametrize("runs", [False, True])
def test_what_an_author_raises_is_shown(
    tmp_path: Path, raised: str, shown: str, runs: bool
) -> None:
    text = f"error({raised})"
    said = load(tmp_path, f"swarm.main(function() {text} end)" if runs else text)
    assert said.status == (1 if runs else 2)
    assert said.err.startswith(f"error: {shown}")


def test_a_stack_that_overflows_is_shown(tmp_path: Path) -> None:
    text = "local function f() return 1 + f() end"
    assert load(tmp_path, f"{text} f()").status == 2
    said = load(tmp_path, f"{text} swarm.main(f)")
    assert said.status == 1
    assert "stack overflow" in said.err


def test_errors_sixty_workers_deep_are_shown(tmp_path: Path) -> None:
    text = """
    local function deep(_, n)
      if n == 0 then error("the bottom") end
      swarm.spawn(deep, n - 1)
    end
    swarm.main(function(_, ctx) deep(ctx, 60) end)
    """
    said = load(tmp_path, text, "--quiet")
    assert said.status == 1
    assert "the bottom" in said.err


# Bytes from outside ------------------------------------------------------------------------------


def test_arguments_may_be_any_bytes(tmp_path: Path) -> None:
    (tmp_path / "x.lua").write_text("swarm.main(function(args) return #args end)")
    said = swarm_host(tmp_path, "x.lua", b"\xff\xfe", "", "\N{SNOWMAN}")
    assert (said.status, said.out) == (0, "3\n")


def test_variables_may_be_any_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environb, b"SOME_BYTES", b"\xff\x01")
    said = load(tmp_path, "swarm.main(function() return #swarm.env 'SOME_BYTES' end)")
    assert (said.status, said.out) == (0, "2\n")


# Generations -------------------------------------------------------------------------------------


async def call_in_second(first: Path, second: Path, worker: str) -> object:
    """Loads two scripts into one VM, and calls a worker of the second."""
    async with Host.load(first) as host:
        await host.load_script(second)
        return await host.call(worker)


def test_a_loading_sees_nothing_that_another_did_to_its_libraries(tmp_path: Path) -> None:
    first, second = tmp_path / "first.lua", tmp_path / "second.lua"
    first.write_text(
        """
        for _, library in ipairs { string, table, math, bit, coroutine, os, io, package.loaded } do
          for name in pairs(library) do library[name] = nil end
        end
        function string.shout() return "mine" end
        mine = true
        """
    )
    second.write_text(
        """
        assert(string.format("%d", 1) == "1" and table.concat and math.floor and bit.band)
        assert(coroutine.wrap and os.time and io.write and require "swarm" == swarm)
        assert(rawget(_G, "mine") == nil and string.shout == nil and ("").shout == nil)
        swarm.worker "unharmed" { run = function() return true end }
        """
    )
    assert anyio.run(call_in_second, first, second, "unharmed") is True


def test_a_loading_sees_nothing_that_another_did_to_args(tmp_path: Path) -> None:
    first, second = tmp_path / "first.lua", tmp_path / "second.lua"
    first.write_text('swarm.args[1] = "changed"')
    second.write_text('swarm.worker "args" { run = function() return #swarm.args end }')
    assert anyio.run(call_in_second, first, second, "args") == 0


def test_a_word_of_retries_that_is_nearly_one_of_the_hosts_is_told_of(tmp_path: Path) -> None:
    text = 'swarm.worker "x" { run = print, retries = { max = 1, on = { "timout", "my_own" } } }\n'
    (tmp_path / "script.lua").write_text(text + MAIN)
    said = swarm_host(tmp_path, "script.lua")
    assert said.status == 0
    told = 'script.lua:1: worker "x": retries.on has "timout": did you mean "timeout"?\n'
    assert said.err.endswith(told)
    assert said.err.count("\n") == 1
