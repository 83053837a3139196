"""``lua/types``: what the definitions for language servers say is what a running host has.

A trusted spec lists the names that scripts can reach, and the tables by which the host checks what
it is given; each must be annotated, and nothing else. Nothing of this needs a language server.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from swarm_host import Host
from swarm_host.vm.kernel import Kernel
from tests.support.command_line import run, script

ROOT = Path(__file__).resolve().parents[2]
TYPES = ROOT / "lua" / "types"

# Reading the definitions -------------------------------------------------------------------------


@dataclass
class Class:
    """``---@class``: its fields and methods, not those of its parents."""

    parents: list[str]
    said: bool
    names: set[str] = field(default_factory=set)


@dataclass
class Function:
    """A function, with what its tags say of it."""

    parameters: list[str]
    documented: list[str]
    said: bool


@dataclass
class Types:
    """All that the files declare."""

    classes: dict[str, Class] = field(default_factory=dict)
    aliases: dict[str, set[str]] = field(default_factory=dict)
    functions: dict[str, Function] = field(default_factory=dict)
    mentioned: set[str] = field(default_factory=set)
    tags: set[str] = field(default_factory=set)

    def names(self, *classes: str) -> set[str]:
        """The fields and methods of classes, and of their parents."""
        found: set[str] = set()
        for name in classes:
            one = self.classes[name]
            found |= one.names | self.names(*one.parents)
        return found


TAG = re.compile(r"---@(\w+) ?(.*)")
FIELD = re.compile(r"\[?(\w+)\]?\?? .+")
FUNCTION = re.compile(r"function ([\w.]+?)(?:([.:])(\w+))?\(([^)]*)\) end")


def read(types: Types, path: Path) -> None:
    """Takes in one file."""
    block: list[str] = []  # the comment lines above
    owner, alias, tables = "", "", {"swarm": "swarm"}
    for line in path.read_text().splitlines():
        if line.startswith("---| "):
            types.aliases[alias].add(line.split('"')[1])
        elif tag := TAG.match(line):
            kind, rest = tag[1], tag[2]
            types.tags.add(kind)
            kinds = ("Lua", "Process", "Python", "Agent", "Operator")
            workers = "|".join(f"swarm.{one}Worker" for one in kinds)
            opened = rest.replace("swarm.closed.Worker", workers)
            opened = opened.replace("swarm.closed.", "swarm.")
            types.mentioned |= set(re.findall(r"\bswarm\.[A-Z]\w*", opened))
            if kind == "class":
                name, _, parents = rest.partition(" : ")
                owner = name
                types.classes[name] = Class(
                    [one.strip() for one in parents.split(",") if one],
                    any(not TAG.match(above) for above in block),
                )
            elif kind == "field":
                found = FIELD.fullmatch(rest)
                assert found, f"{path}: {line}"
                if not rest.startswith(("[string]", "[integer]")):
                    types.classes[owner].names.add(found[1])
            elif kind == "alias":
                alias = rest.split(" ")[0]
                types.aliases[alias] = set()
            block.append(line)
        elif line.startswith("---"):
            block.append(line)
        elif made := FUNCTION.fullmatch(line):
            table, dot, name, listed = made.groups()
            tags = [TAG.match(above) for above in block]
            documented = [
                tag[2].split(" ")[0].rstrip("?") for tag in tags if tag and tag[1] == "param"
            ]
            function = Function(re.findall(r"[\w.]+", listed), documented, None in tags)
            types.functions[f"{tables.get(table, table)}{dot or ''}{name or ''}"] = function
            if dot and table in tables:
                types.classes[tables[table]].names.add(name)
            block = []
        else:
            if made := re.fullmatch(r"(?:local )?(\w+) = \{\}", line):
                tables[made[1]] = owner
            block = []


@pytest.fixture(scope="module")
def types() -> Types:
    found = Types()
    # The face first: other files add to it.
    for path in sorted(TYPES.glob("*.lua"), key=lambda path: path.name != "swarm.lua"):
        read(found, path)
    return found


# Asking the host ---------------------------------------------------------------------------------

SURVEY = r"""
local host_require = debug.getregistry()._LOADED._G.require
local meta = debug.getmetatable

local function names(t)
  local list = swarm.array {}
  for key in next, t do
    if type(key) == "string" and key:sub(1, 2) ~= "__" then list[#list + 1] = key end
  end
  return list
end

-- The upvalue of a name that is nearest to a function, through others and tables of them.
local function upvalue(fn, wanted)
  local queue, seen, at = { fn }, { [fn] = true }, 1
  local function look(value, depth)
    if value == nil or seen[value] then return end
    if type(value) == "function" then
      seen[value], queue[#queue + 1] = true, value
    elseif type(value) == "table" and depth < 3 then
      seen[value] = true
      for _, item in next, value do look(item, depth + 1) end
    end
  end
  while queue[at] do
    local i = 1
    while true do
      local name, value = debug.getupvalue(queue[at], i)
      if not name then break end
      if name == wanted then return value end
      look(value, 0)
      i = i + 1
    end
    at = at + 1
  end
  error("no function near has an upvalue " .. wanted)
end

-- How many parameters each function has; -1: any number.
local function counts(t)
  local found = swarm.object {}
  for name, fn in next, t do
    if type(fn) == "function" and not name:find "^__" then
      local info = debug.getinfo(fn, "u")
      found[name] = info.isvararg and -1 or info.nparams
    end
  end
  return found
end

local saw = {} -- what → field → true
local function seen(what, t)
  saw[what] = saw[what] or swarm.object {}
  for key in next, t do
    if type(key) == "string" then saw[what][key] = true end
  end
end

swarm.layer "ears" {
  event = function(_, event) return event.stage ~= "drop" and event or false end,
}
swarm.worker "talker" {
  retries = { max = 1, backoff = 0 },
  layers = { "ears" },
  run = function(ctx, verdict)
    if ctx.attempt == 1 and verdict == "no" then error "first" end
    ctx:progress("drop")
    ctx:progress("stage", "note")
    ctx:partial(swarm.file("a", "text/plain"))
    ctx:artifact("name", 1)
    ctx:usage { tokens = 1 }
    return 1, verdict
  end,
}
swarm.worker "ok" { run = function() return 1 end }
swarm.before("ok", function() end)
swarm.after("*", function(_, result) seen("Result", result) end)
swarm.settled("*", function(_, outcome) seen("Outcome", outcome) end)
swarm.before(function(def) seen("Definition", def) return false end, function() end)

it("lists what there is", function(ctx)
  mock.port("http", function() return { status = 200, url = "x" }, "{}" end)
  local H = host_require "swarm.worker.handle"
  local answer = swarm.http.request { url = "http://x/" }
  local sup = swarm.supervise { children = { { "ok" } } }
  seen("Child", sup:children()[1])
  swarm.join(sup)
  seen("HttpResponse", answer)
  seen("Stat", swarm.fs.stat ".")
  seen("ExecResult", swarm.exec { "true" })
  seen("ExecResult", swarm.exec { "sh", "-c", "kill -9 $$" })
  seen("Generation", swarm.generations()[1])
  for _, verdict in ipairs { "no" } do
    for event in swarm.follow(swarm.spawn("talker", verdict), { attempt = "all" }) do
      if event.type == "usage" then event.tokens = nil end
      seen("Event", event)
      seen("Content", event.chunk or event.content or {})
    end
  end
  seen("Settled", swarm.settle({ function() return 1 end, function() error "x" end })[1])
  seen("Settled", swarm.settle({ function() error "x" end })[1])
  local function two()
    swarm.spawn(function() end)
    swarm.spawn(function() end)
  end
  seen("Exploration", explore(two, { schedule = "1" }))
  seen("Exploration", explore(two, { seed = 1 }))
  seen("WorkerMock", mock.worker("ok", function() end))
  seen("File", { path = swarm.file("p", "m").path, mime = swarm.file("p", "m").mime })

  local scope_methods
  swarm.scope(function(scope) scope_methods = meta(scope).__index end)
  local token = meta(ctx.cancel_token).__index
  local face = meta(swarm).__index
  local script = upvalue(host_require("swarm.testing.app").face, "App").methods
  local invocation = host_require "swarm.outside.process.plan"
  local kinds = host_require "swarm.kinds.all"
  local hooks, roles = host_require "swarm.layers.hooks", host_require "swarm.rights.roles"
  local child = host_require "swarm.structure.supervise.child_spec"
  local out = host_require "swarm.outside.process.output"
  local ready = host_require "swarm.script.ready"
  local known = { swarm = swarm, ctx = ctx, print = print }
  local spelling = host_require("swarm.ground.spelling")
  local function holds(guess) -- each name in it is there, else this raises
    for path in guess:gmatch "%f[%a][%a_]+[.:][%a_.]*[%a_]" do
      local at = known
      for name in path:gmatch "[%a_]+" do at = at[name] end
      assert(at ~= nil or path == "swarm.input", guess)
    end
  end
  for _, of in ipairs { spelling.FIRST_GUESSES, spelling.LATER } do
    for prefix, guesses in next, of do
      local face = prefix == "swarm." and swarm or swarm[prefix:match "swarm%.(%a+)%."]
      for name, guess in next, guesses do
        holds(guess)
        assert(not rawget(meta(face).__index, name), "there is " .. prefix .. name)
      end
    end
  end
  local of_kinds = {}
  for name in next, kinds.by_name do of_kinds[name] = names(kinds.load(name).fields) end
  local function object(value) return meta(value).__index end

  local parts = { face = face, token = upvalue(token, "methods"), scope = scope_methods }
  for _, name in ipairs { "fs", "http", "json", "log" } do
    parts[name] = meta(swarm[name]).__index
  end
  parts.tokens = meta(swarm.token).__index
  parts.channel, parts.semaphore = object(swarm.channel()), object(swarm.semaphore(1))
  parts.event, parts.lock = object(swarm.event()), object(swarm.lock())
  parts.script, parts.handle, parts.assert = script, upvalue(H.index, "methods"), assert
  parts.response = upvalue(meta(answer).__index, "methods")
  parts.mock, parts.clock = meta(mock).__index, clock
  parts.globals = {}
  for name in next, _G do
    local is_luas = debug.getregistry()._LOADED._G[name] ~= nil
    parts.globals[name] = (not is_luas or name == "assert") and rawget(_G, name) or nil
  end
  local listed, counted = {}, {}
  for name, part in pairs(parts) do
    listed[name], counted[name] = names(part), counts(part)
  end
  swarm.fs.write("survey.json", swarm.json.encode {
    parts = listed,
    counts = counted,
    seen = saw,
    getters = names(upvalue(H.index, "getters")),
    token_getters = names(upvalue(token, "getters")),
    kinds = of_kinds,
    common = names(upvalue(host_require("swarm.script.fields").fields, "COMMON")),
    options = {
      SpawnOptions = names(upvalue(face.spawn, "SPAWN_OPTIONS")),
      JoinOptions = names(upvalue(face.join, "JOIN_OPTIONS")),
      CancelOptions = names(upvalue(face.cancel, "CANCEL_OPTIONS")),
      TailOptions = names(upvalue(face.output_tail, "READ_OPTIONS")),
      FollowOptions = names(upvalue(face.follow, "READ_OPTIONS")),
      OpenOptions = names(upvalue(face.open, "OPTIONS")),
      MapOptions = names(upvalue(face.map, "MAP_OPTIONS")),
      SuperviseOptions = names(upvalue(child.plan, "OPTIONS")),
      Backoff = names(upvalue(upvalue(child.plan, "backoff_of"), "BACKOFF")),
      Budget = names(upvalue(host_require("swarm.worker.limits.budget").limits, "FIELDS")),
      Main = names(upvalue(upvalue(face.main, "read_main"), "MAIN_FIELDS")),
      Worktree = names(upvalue(host_require("swarm.outside.worktree").of, "FIELDS")),
      Pool = names(upvalue(host_require("swarm.script.pools").check, "FIELDS")),
      GraphOptions = names(upvalue(face.graph, "OPTIONS")),
      Ready = names(upvalue(upvalue(ready.of, "check_keys"), "FIELDS")),
      ChildSpec = names(upvalue(child.read, "FIELDS")),
      Retries = names(upvalue(host_require("swarm.worker.attempts").policy, "FIELDS")),
      HttpRequest = names(upvalue(parts.http.request, "OPTIONS")),
      ExecCommand = names(upvalue(face.exec, "OPTIONS")),
      ExploreOptions = names(upvalue(explore, "OPTIONS")),
      Agent = names(upvalue(host_require("swarm.outside.agent.definition").check, "FIELDS")),
      Layer = names(upvalue(hooks.layer, "LAYER_FIELDS")),
      Role = names(upvalue(roles.check, "FIELDS")),
      Invocation = names(invocation.FIELDS),
      ProcessOutput = names(upvalue(out.read, "FIELDS")),
    },
  })
end)
"""


@pytest.fixture(scope="module")
def survey(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("survey")
    done = run("test", "--trust", script(folder, SURVEY, "survey_spec.lua"), cwd=folder)
    assert done.returncode == 0, (done.stdout + done.stderr).decode()
    return json.loads((folder / "survey.json").read_bytes())


# The names ---------------------------------------------------------------------------------------


def test_the_face_is_annotated_name_by_name(types: Types, survey: Any) -> None:
    assert types.names("swarm") == {*survey["parts"]["face"], "input", "operator_kind"}


OBJECTS = {
    "fs": "Fs",
    "http": "Http",
    "json": "Json",
    "log": "Log",
    "tokens": "Token",
    "scope": "Scope",
    "channel": "Channel",
    "semaphore": "Semaphore",
    "event": "Signal",
    "lock": "Lock",
    "script": "Script",
}


@pytest.mark.parametrize("part", OBJECTS)
def test_an_object_has_the_names_that_are_annotated(types: Types, survey: Any, part: str) -> None:
    assert types.names(f"swarm.{OBJECTS[part]}") == set(survey["parts"][part])


def test_handles_and_ctx_have_the_names_that_are_annotated(types: Types, survey: Any) -> None:
    annotated = types.names("swarm.Handle", "swarm.Ctx", "swarm.HeldOpen", "swarm.Supervisor")
    assert annotated == {*survey["parts"]["handle"], *survey["getters"]}


def test_a_cancel_token_has_the_names_that_are_annotated(types: Types, survey: Any) -> None:
    names = {*survey["parts"]["token"], *survey["token_getters"]}
    assert types.names("swarm.CancelToken") == names


def test_specs_have_the_words_that_are_annotated(types: Types, survey: Any) -> None:
    words = {name for name in types.functions if re.fullmatch(r"\w+", name)}
    globals_ = set(survey["parts"]["globals"]) - {"arg"}
    words.remove("pcall")  # Lua's own, with what the host raises in it
    assert words | {"swarm", "assert", "clock", "mock", "spy", "stub", "match"} == globals_
    assert types.names("swarm.Clock") == set(survey["parts"]["clock"])
    assert types.names("swarm.Mock") == set(survey["parts"]["mock"])
    assert types.names("swarm.Assert") == set(survey["parts"]["assert"])


# What is given and what comes back ---------------------------------------------------------------


def test_options_and_definitions_have_the_fields_that_are_checked(
    types: Types, survey: Any
) -> None:
    for name, fields in survey["options"].items():
        annotated = {one for one in types.names(f"swarm.{name}") if not one.isdigit()}
        assert annotated == set(fields), name


def test_workers_of_each_kind_have_the_fields_that_are_checked(types: Types, survey: Any) -> None:
    classes = {"lua": "swarm.LuaWorker", "process": "swarm.ProcessWorker"}
    classes |= {"python": "swarm.PythonWorker", "agent": "swarm.AgentWorker"}
    classes["operator"] = "swarm.OperatorWorker"
    assert classes.keys() == survey["kinds"].keys()
    for kind, fields in survey["kinds"].items():
        assert types.names(classes[kind]) == {*survey["common"], *fields}, kind


def test_what_comes_back_has_the_fields_that_are_annotated(types: Types, survey: Any) -> None:
    for name, fields in survey["seen"].items():
        methods = survey["parts"]["response"] if name == "HttpResponse" else []
        assert types.names(f"swarm.{name}") == {*fields, *methods}, name


RELOADED = """
swarm.on_reload(function(old, new)
  local seen = swarm.state "seen"
  for key in pairs(old) do seen["old " .. key] = true end
  for key in pairs(new) do seen["new " .. key] = true end
end)
swarm.worker "seen" { run = function() return swarm.state "seen" end }
"""


@pytest.mark.anyio
async def test_what_on_reload_is_told_has_the_fields_that_are_annotated(
    types: Types, tmp_path: Path
) -> None:
    path = script(tmp_path, RELOADED)
    async with Host.load(path) as host:
        await host.reload(fresh=True)
        seen = await host.call("seen")
    old = {f"old {name}" for name in types.names("swarm.OldGeneration")}
    assert old | {f"new {name}" for name in types.names("swarm.NewGeneration")} == set(seen)


def test_the_verbs_are_those_of_the_host(types: Types) -> None:
    assert types.aliases["swarm.Verb"] == set(Kernel().verbs())


# Errors: by the places in the source that make them -----------------------------------------------

HOST = [*(ROOT / "lua").glob("swarm/**/*.lua")]
PORTS = [
    path for room in ("ports", "tokens") for path in (ROOT / "host/swarm_host" / room).rglob("*.py")
]
OF_LUA = re.compile(r"errors\.(?:new|throw)\(\s*\"(\w+)\"|\bclose\(held, \"(\w+)\"")
OF_PORTS = re.compile(r"(?:PortError|Refused)\(\s*\"(\w+)\"")


def arguments(text: str, start: int) -> str:
    """What stands between the parentheses of a call that opens before ``start``."""
    depth, at = 1, start
    while depth:
        depth += {"(": 1, ")": -1}.get(text[at], 0)
        at += 1
    return text[start : at - 1]


def error_fields() -> set[str]:
    """The fields that belong to a code, where a call spells them out."""
    found: set[str] = set()
    for path in HOST:
        text = path.read_text()
        for call in re.finditer(r"errors\.(?:new|throw)\(", text):
            given = re.sub(r'"(?:\\.|[^"\\])*"', '""', arguments(text, call.end()))
            if table := re.search(r",\s*\{([^{}]*)\},?\s*$", given):
                found |= set(re.findall(r"(?:^|,)\s*(\w+) = ", table[1]))
    for path in PORTS:
        text = path.read_text()
        for call in re.finditer(r"PortError\(", text):
            found |= set(re.findall(r",\s*(\w+)=", arguments(text, call.end())))
    return found


def test_every_code_is_annotated_and_made_somewhere(types: Types) -> None:
    made = set[str]()
    for path in HOST:
        made |= {one[1] or one[2] for one in OF_LUA.finditer(path.read_text())}
    for path in PORTS:
        made |= {one[1] for one in OF_PORTS.finditer(path.read_text())}
    assert types.aliases["swarm.ErrorCode"] == made


def test_every_field_of_an_error_is_annotated_and_set_somewhere(types: Types) -> None:
    annotated = types.names("swarm.Error")
    assert error_fields() <= annotated
    text = "\n".join(path.read_text() for path in [*HOST, *PORTS])
    nowhere = [one for one in annotated if not re.search(rf'\b{one}\s?=|"{one}"', text)]
    assert nowhere == []


# The definitions themselves ----------------------------------------------------------------------


def test_functions_take_as_many_arguments_as_are_annotated(types: Types, survey: Any) -> None:
    groups = {"all", "any", "race", "settle", "each"}  # take one more, to refuse it
    tables = {
        "face": "swarm",
        "assert": "swarm.Assert",
        "mock": "swarm.Mock",
        "clock": "swarm.Clock",
    }
    tables |= {part: f"swarm.{name}" for part, name in OBJECTS.items()}
    tables |= {"token": "swarm.CancelToken", "response": "swarm.HttpResponse"}
    checked = 0
    for part, table in tables.items():
        for name, count in survey["counts"][part].items():
            dotted, method = (types.functions.get(f"{table}{dot}{name}") for dot in ".:")
            function = dotted or method
            assert function, f"{table} {name}"
            takes = len(function.parameters) + (method is not None)
            if count >= 0 and not (part == "face" and name in groups):
                assert takes == count, f"{table} {name}"
                checked += 1
    for name, count in survey["counts"]["handle"].items():
        owners = ("Handle", "Ctx", "HeldOpen", "Supervisor")
        found = [types.functions.get(f"swarm.{owner}:{name}") for owner in owners]
        counts = {len(function.parameters) + 1 for function in found if function}
        assert counts, name
        assert count == -1 or counts == {count}, name
    assert checked >= 100


def test_every_name_has_a_sentence_and_every_parameter_its_type(types: Types) -> None:
    assert [name for name, one in types.classes.items() if not one.said] == []
    for name, function in types.functions.items():
        assert function.said, name
        assert function.documented == function.parameters, name


def test_every_type_that_is_mentioned_is_declared(types: Types) -> None:
    declared = types.classes.keys() | types.aliases.keys()
    assert types.mentioned - declared == set()
    assert declared - types.mentioned - {"swarm"} == set()
    known = {"meta", "class", "field", "alias", "param", "return", "overload", "generic"}
    known.add("return_overload")
    assert types.tags <= known


def test_the_example_of_a_definition_for_an_editor_names_the_folder() -> None:
    page = (ROOT / "spec" / "host" / "types.md").read_text()
    (example,) = re.findall(r"```json file=\.luarc\.json\n(.*?)```", page, re.DOTALL)
    (library,) = json.loads(example)["workspace.library"]
    assert library.endswith("/swarm_host/lua/types")
