"""Each rule finds what is planted, at its place, and leaves near misses alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.checking.finding import found_in, places

MAIN = "\nswarm.main(function(args, ctx)\n%s\nend)\n"
"""What stands in main begins on the third line of a script that has nothing else."""

CAT = 'swarm.worker "a" { command = { "cat", "{input.file}" } }'
REVIEW = 'swarm.worker "review" { run = function(_, input) swarm.log.info("x", input) end }'

PLANTED = {
    "undefined global": (MAIN % "print(totl)", ["undefined-global 3:7"]),
    "undefined global that is called": (MAIN % "prnt(1)", ["undefined-global 3:1"]),
    "undefined global as an item of a table": (
        MAIN % "return { args, nothing = nothing, [never] = 1 }",
        ["undefined-global 3:26", "undefined-global 3:36"],
    ),
    "a local is not seen before its end": (
        MAIN % "local mine = mine",
        ["undefined-global 3:14"],
    ),
    "a local is not seen behind its block": (
        MAIN % "do local inner = 1 print(inner) end print(inner)",
        ["undefined-global 3:43"],
    ),
    "undefined field": (MAIN % 'swarm.spwan("x")', ["undefined-field 3:7"]),
    "undefined field of fs, by another name": (
        "local s = require 'swarm'\nlocal fs = s.fs" + MAIN % 'fs.raed("x")',
        ["undefined-field 4:4"],
    ),
    "unknown worker": (
        REVIEW + MAIN % 'swarm.call("reveiw") swarm.call("review")',
        ["unknown-worker 3:12"],
    ),
    "unknown worker by an alias": (
        REVIEW + "\nlocal spawn = swarm.spawn" + MAIN % 'spawn("review") spawn "revew"',
        ["unknown-worker 4:23"],
    ),
    "unknown worker behind pcall": (
        REVIEW + MAIN % 'pcall(swarm.call, "revew") swarm.call "review"',
        ["unknown-worker 3:19"],
    ),
    "unknown worker in a graph": (
        REVIEW + MAIN % 'swarm.graph { a = { "review" }, b = { "revew", needs = { "a" } } }',
        ["unknown-worker 3:39"],
    ),
    "unknown worker of a supervisor": (
        REVIEW + MAIN % 'swarm.supervise { children = { { "review" }, { "revew" } } }',
        ["unknown-worker 3:48"],
    ),
    "unknown worker in a scope": (
        MAIN % 'swarm.scope(function(s) s:spawn("revew") end)',
        ["unknown-worker 3:33"],
    ),
    "unused worker": (REVIEW + MAIN % "", ["unused-worker 1:14"]),
    "unused worker that only a hook names": (
        REVIEW + ' swarm.after("review", function() end)' + MAIN % "",
        ["unused-worker 1:14"],
    ),
    "unused worker below one that is marked": (
        "---@serve\n"
        + REVIEW
        + '\n\nswarm.worker "b" { run = function() end }\nswarm.worker "c" { run = print }'
        + MAIN % "",
        ["unused-worker 4:14", "unused-worker 5:14"],
    ),
    "unused worker below a mark of another's": (
        REVIEW + ' ---@serve\nswarm.worker "b" { run = print }' + MAIN % "",
        ["unused-worker 2:14"],
    ),
    "unused worker apart from a mark": (
        "---@serve\n\n" + REVIEW + MAIN % "",
        ["unused-worker 3:14"],
    ),
    "unmatched hook": (
        'swarm.after("rev*", function() end)' + MAIN % "",
        ["unmatched-hook 1:1"],
    ),
    "unknown placeholder": (
        'swarm.worker "a" { command = { "cat", "é {input.fil}" } }'
        + MAIN % 'swarm.call("a", { file = 1 })',
        ["unknown-placeholder 1:42"],
    ),
    "unknown placeholder where the input is a text": (
        'swarm.worker "a" { shell = "cat", prompt = "{input.file}" }'
        + MAIN % 'swarm.call("a", "x")',
        ["unknown-placeholder 1:45"],
    ),
    "unknown placeholder by its schema": (
        """swarm.worker "a" {
          command = { "cat" }, env = { FILE = "{input.fil}" },
          input_schema = { additionalProperties = false, properties = { file = {} } },
        }"""
        + MAIN % 'swarm.call("a", args)',
        ["unknown-placeholder 2:48"],
    ),
    "handle that is never read": (
        REVIEW + MAIN % 'local h = swarm.spawn("review")',
        ["dropped-handle 3:11"],
    ),
    "handle of a function that returns": (
        MAIN % "swarm.spawn(function() return #args end)",
        ["dropped-handle 3:1"],
    ),
    "handle of a worker that returns": (
        'swarm.worker "a" { run = function() return 1 end }' + MAIN % 'swarm.spawn "a"',
        ["dropped-handle 3:1"],
    ),
    "result-like value": (
        'swarm.worker "a" { run = function() return { value = 1, ok = true } end }'
        + MAIN % 'swarm.call "a"',
        ["result-like-value 1:44"],
    ),
    "result-like value of a function elsewhere": (
        'local function run() return { ok = false, value = 1, error = "x" } end\n'
        + 'swarm.worker "a" { run = run }'
        + MAIN % 'swarm.call "a"',
        ["result-like-value 1:29"],
    ),
    "swallowed cancel": (
        MAIN % "while true do pcall(swarm.sleep, 1) end",
        ["swallowed-cancel 3:15"],
    ),
    "swallowed cancel in a function": (
        MAIN % "local ok repeat ok = pcall(function() swarm.sleep(1) end) until ok",
        ["swallowed-cancel 3:22"],
    ),
    "swallowed cancel that success ends": (
        MAIN % "while true do local ok = pcall(swarm.sleep, 1) if ok then break end end",
        ["swallowed-cancel 3:26"],
    ),
}

NEAR = {
    "globals that are assigned anywhere": MAIN % "print(late, made)"
    + "late = 1\nfunction made() end\nfunction t_of() return t_of end",
    "globals of other spellings": MAIN % "print(one, two, rawget(_G, 'three'), four)"
    + "_G.one, _G['two'] = 1, 2\nrawset(_G, 'four', 4)",
    "globals that tell the Lua": MAIN % "return utf8 or jit or _ENV or table.unpack",
    "globals of a metatable": "setmetatable(_G, { __index = function() return 1 end })"
    + MAIN % "print(anything)",
    "globals of an environment": "local f = function() return any end\nsetfenv(f, { any = 1 })"
    + MAIN % "f()",
    "names that are no variables": MAIN
    % "local t = { key = 1 } goto done print(t.key, t.other) ::done:: t:each()"
    + "string.each = print",
    "parameters, loops, self": MAIN
    % """for i, v in pairs(args) do print(i, v) end
      for n = 1, 2 do print(n) end
      local t = {} function t:m(...) return self, ... end
      repeat local last = t:m() until last
      local function recursive() return recursive end
      return recursive""",
    "a swarm of its own": MAIN % "local swarm = { spwan = print } swarm.spwan()",
    "swarm.input is there": MAIN
    % "return swarm.input, swarm.args, swarm.fs.read, swarm.json.decode",
    "a worker whose name is computed": "for _, n in ipairs { 'a', 'b' } do "
    'swarm.worker("w-" .. n) { run = print } end'
    + MAIN
    % 'swarm.call "w-a" swarm.call("w-" .. "b")',
    "computed names use all workers": REVIEW + MAIN % "swarm.call(args[1])",
    "names in a list use workers": REVIEW
    + MAIN % 'for _, name in ipairs { "review" } do swarm.call(name) end',
    "spawn that is handed on uses all workers": REVIEW
    + MAIN % "local function go(f, n) f(n) end go(swarm.call, args[1])",
    "a worker in a table of a supervisor uses it": REVIEW
    + MAIN % 'swarm.supervise { children = { { "review", 1 } } }',
    "workers without main are for others": REVIEW,
    "a worker that is marked is for others": "---@serve\n" + REVIEW + MAIN % "",
    "the mark may stand among comments": "---Reviews.\n--- @serve for a person\n-- soon\n"
    + REVIEW
    + MAIN % "",
    "the mark may stand in the line": REVIEW + " ---@serve" + MAIN % "",
    "an input of a worker that others spawn": "---@serve\n"
    + CAT
    + MAIN % 'swarm.call("a", { path = 1 })',
    "a value that others take": "---@serve\n"
    + 'swarm.worker "a" { run = function() return 1 end }'
    + MAIN % 'swarm.spawn "a"',
    "a method called spawn of something else": MAIN
    % 'local pool = { spawn = print } pool:spawn("nobody")',
    "a hook on main": 'swarm.after("main", function() end)' + MAIN % "",
    "a hook on all": 'swarm.after("*", function() end)' + MAIN % "",
    "a hook with a function": "swarm.after(function() return false end, function() end)"
    + MAIN % "",
    "an input that is not written out": CAT + MAIN % 'swarm.call("a", ctx.input)',
    "an input with computed fields": CAT + MAIN % 'swarm.call("a", { [args[1]] = 1 })',
    "one input of two has it": CAT
    + MAIN % 'swarm.call("a", { file = 1 }) swarm.call("a", { other = 1 })',
    "an input that is mapped": CAT + MAIN % 'swarm.map("a", { { file = 1 } })',
    "a hook may give the field": 'swarm.worker "a" { command = { "cat", "{input.file}" } }\n'
    + 'swarm.before("a", function() return { file = 1 } end)'
    + MAIN % 'swarm.call("a", { path = 1 })',
    "a placeholder that is written out": 'swarm.worker "a" { shell = "cat {{input.file}}" }'
    + MAIN % 'swarm.call("a", { path = 1 })',
    "a schema that allows more": """swarm.worker "a" { command = { "cat", "{input.file}" },
      input_schema = { properties = { path = {} } } }"""
    + MAIN % 'swarm.call("a", args)',
    "a spawn that its block waits for": REVIEW + MAIN % 'swarm.spawn("review", 1)',
    "a spawn of a function that says nothing": MAIN
    % "swarm.spawn(function() if args[1] then return end return nil end)",
    "a value that another place takes": 'swarm.worker "a" { run = function() return 1 end }'
    + MAIN % 'swarm.spawn "a" return swarm.call "a"',
    "a value that a hook sees": 'swarm.worker "a" { run = function() return 1 end }\n'
    + 'swarm.settled("a", function() end)'
    + MAIN % 'swarm.spawn "a"',
    "a handle that is read, kept or not wanted": REVIEW
    + MAIN
    % """local a = swarm.spawn "review" a:join()
      local list = { swarm.spawn "review" } swarm.all(list)
      local _slow = swarm.spawn "review"
      local b = swarm.spawn "review"
      return function() return b end""",
    "a hook's result": 'swarm.worker "a" { run = function() return 1 end }\n'
    'swarm.after("a", function(_, r) return { value = r.value, ok = true } end)'
    + MAIN
    % 'swarm.call "a"',
    "a value with further fields": 'swarm.worker "a" { run = function() '
    "return { value = 1, ok = true, unit = 'm' } end }" + MAIN % 'swarm.call "a"',
    "a value without ok": 'swarm.worker "a" { run = function() return { value = 1 } end }'
    + MAIN % 'swarm.call "a"',
    "a helper inside a worker": 'swarm.worker "a" { run = function() local function f() '
    "return { value = 1, ok = true } end return f().value end }" + MAIN % 'swarm.call "a"',
    "a loop that leaves by an error": MAIN
    % "while true do local ok, e = pcall(swarm.sleep, 1) if not ok then error(e) end end",
    "a loop that leaves where it is cancelled": MAIN
    % """while true do local ok, e = pcall(swarm.sleep, 1)
      if not ok and e.code == "cancelled" then break end end""",
    "a loop that waits outside too": MAIN
    % "while true do pcall(swarm.call, args[1]) swarm.sleep(1) end",
    "a loop that counts": MAIN % "local n = 0 while n < 3 do n = n + 1 pcall(swarm.sleep, 1) end",
    "a loop over a list": MAIN % "for _, a in ipairs(args) do pcall(swarm.call, a) end",
    "a loop around what does not wait": MAIN
    % "while true do local ok = pcall(tonumber, args[1]) if ok then break end end",
    "a loop that ends in its else": MAIN
    % """while true do local ok = pcall(swarm.sleep, 1)
      if ok then print "again" else break end end""",
}


@pytest.mark.parametrize("name", PLANTED)
def test_what_is_planted_is_found(name: str, tmp_path: Path) -> None:
    text, expected = PLANTED[name]
    assert places(found_in(tmp_path, text)) == expected


@pytest.mark.parametrize("name", NEAR)
def test_near_misses_are_left_alone(name: str, tmp_path: Path) -> None:
    assert found_in(tmp_path, NEAR[name]) == []


def test_the_nearest_name_is_told(tmp_path: Path) -> None:
    text = REVIEW + MAIN % 'local total = swarm.call "reveiw" swarm.await(totl) swarm.call "review"'
    messages = [one.message for one in found_in(tmp_path, text)]
    assert messages == [
        'no worker "reveiw" is defined; did you mean review?',
        "swarm.await does not exist; use swarm.join",
        "global totl is not defined; did you mean total?",
    ]


def test_what_a_spec_expects_to_fail_is_left_alone(tmp_path: Path) -> None:
    text = """it("fails", function()
      assert.has_error(function()
        swarm.call "nobody"
        swarm.spwan(nothing)
      end)
      swarm.call "somebody"
    end)"""
    assert places(found_in(tmp_path, text, "a_spec.lua")) == ["unknown-worker 6:18"]
