-- Specs: busted's vocabulary (describe, it, before_each, after_each, pending, assert.*). A spec
-- file is a script like any other: it defines its workers, and each `it` is a worker of the run
-- under a virtual clock, which jumps to the next timer when all wait.
local app = require "swarm.testing.app"
local arguments = require "swarm.ground.arguments"
local assertions = require "swarm.testing.assertions"
local blocks = require "swarm.structure.blocks"
local clock = require "swarm.ground.clock"
local cancelling = require "swarm.scope.cancel"
local errors = require "swarm.ground.errors"
local explore = require "swarm.testing.explore.explore"
local frames = require "swarm.ground.frames"
local json = require "swarm.values.json"
local mock = require "swarm.testing.mock"
local spies = require "swarm.testing.spies"
local raised = require "swarm.ground.raised"
local pauses = require "swarm.structure.pauses"
local S = require "swarm.scheduler.scheduler"
local scopes = require "swarm.scope.scope"
local shown = require "swarm.ground.shown"
local type, pcall, xpcall, max, concat = type, pcall, xpcall, math.max, table.concat

local words = {}

local tests = {} -- in the order of the file: { name, where, first, last, fn, group }
local by_name = {} -- full name → test

local function new_group(name, outer)
  return { name = name, outer = outer, setup = {}, before = {}, after = {}, teardown = {} }
end
local group = new_group(nil, nil)
local finals = {} -- what `finally` says in the `it` that runs

-- Defining ----------------------------------------------------------------------------------------

local function check_loading(call)
  if not cancelling.is_loading(S.current) then
    return errors.throw(
      "load_error",
      call
        .. " belongs at the top of a spec file or in a describe, not inside an `it`: specs are "
        .. "known before the first one runs"
    )
  end
end

local function check(call, name, fn)
  check_loading(call)
  if type(name) ~= "string" then
    return arguments.wrong(call .. " takes a name first", name, "load_error")
  elseif not pcall(json.encode, name, "name") then
    return errors.throw("load_error", call .. " takes a name that is UTF-8 text")
  elseif fn ~= nil and type(fn) ~= "function" then
    return arguments.wrong(call .. " takes a function second", fn, "load_error")
  end
end

---The lines of the author's file that a call with a function spans.
local function lines_of(where, fn)
  local first = tonumber(where:match ":(%d+)$")
  if not fn then
    return first, first
  end
  local info = debug.getinfo(fn, "S")
  local here = frames.source_of(info) == where:match "^(.*):%d+$"
  return first, here and max(info.lastlinedefined, first) or first
end

local function full_name(name)
  local parts, scope = { name }, group
  while scope.name do
    if scope.name ~= "" then
      table.insert(parts, 1, scope.name)
    end
    scope = scope.outer
  end
  return concat(parts, " > ")
end

---A name that no other spec of the file has: the second of one name is the second.
local function own_name(name, where)
  local full = full_name(name == "" and "at line " .. where:match ":(%d+)$" or name)
  local own, n = full, 1
  while by_name[own] do
    n = n + 1
    own = full .. " (" .. n .. ")"
  end
  return own
end

local function describe(name, fn)
  if type(name) == "function" then
    name, fn = "", name -- insulate(fn)
  end
  check("describe", name, fn)
  if not fn then
    return errors.throw("load_error", "describe takes a function that holds its specs")
  end
  local where, outer = frames.where(), group
  local first, last = lines_of(where, fn)
  group = new_group(name, outer)
  group.first, group.last = first, last
  local ok, err = xpcall(fn, frames.passing)
  group = outer
  if not ok then
    return error(err, 0)
  end
end

local function define(call, name, fn, runs)
  check(call, name, fn)
  local where = frames.where()
  local full = own_name(name, where)
  local first, last = lines_of(where, fn)
  local test = { name = full, where = where, first = first, last = last, group = group }
  test.fn = runs and fn or nil
  tests[#tests + 1] = test
  by_name[full] = test
end

local function it(name, fn)
  return define("it", name, fn, true)
end

---A spec that is not run; inside an `it`, that this one is not to be run to its end.
local function pending(name, fn)
  if not cancelling.is_loading(S.current) then
    return errors.throw("spec_pending", type(name) == "string" and name or "pending")
  end
  return define("pending", name, fn, false)
end

---What is done when the `it` that runs has ended, however it ends.
local function finally(fn)
  if cancelling.is_loading(S.current) then
    return errors.throw("load_error", "finally belongs inside an `it`")
  elseif type(fn) ~= "function" then
    return arguments.wrong("finally takes a function", fn)
  end
  finals[#finals + 1] = fn
end

local function hook(call, list)
  return function(fn)
    check_loading(call)
    if type(fn) ~= "function" then
      return arguments.wrong(call .. " takes a function", fn, "load_error")
    end
    local of = group[list]
    of[#of + 1] = fn
  end
end

-- The clock ---------------------------------------------------------------------------------------

local clock_face = {}

---Moves the virtual clock on by s seconds, timer by timer: what is due until then runs first.
---Real I/O under way does not hold it, as it does the jump when all sleep.
function clock_face.advance(s)
  local target = clock.virtual + arguments.seconds(s, "clock.advance")
  pauses.sleep(0) -- who is ready runs first, and sets its timers
  local due = S.next_deadline()
  while due and due <= target do
    clock.virtual = max(clock.virtual, due)
    pauses.sleep(0)
    pauses.yield()
    due = S.next_deadline()
  end
  clock.virtual = max(clock.virtual, target)
end

-- What the host asks for --------------------------------------------------------------------------

---Gives a spec file its vocabulary.
---@param env table its globals
---@param generation table
function words.prepare(env, generation)
  for _, name in pairs { "describe", "context", "insulate", "expose" } do
    env[name] = describe
  end
  for _, name in pairs { "it", "spec", "test" } do
    env[name] = it
  end
  env.pending, env.finally = pending, finally
  env.before_each = hook("before_each", "before")
  env.after_each = hook("after_each", "after")
  for _, name in pairs { "setup", "lazy_setup", "strict_setup" } do
    env[name] = hook(name, "setup")
  end
  for _, name in pairs { "teardown", "lazy_teardown", "strict_teardown" } do
    env[name] = hook(name, "teardown")
  end
  env.spy, env.stub, env.match = spies.spy, spies.stub, spies.match(assertions)
  env.assert = assertions
  env.clock = clock_face
  env.explore = explore
  env.mock = mock.face(generation)
  env.package.preload["busted.runner"] = function()
    return function() end -- what a file begins with that can be run by itself
  end
  generation.face.script = app.face(generation)
end

---@return table list of { name, where, first, last, pending, groups }; groups from the outside in
function words.list()
  local list = {}
  for i = 1, #tests do
    local test = tests[i]
    local groups, scope = {}, test.group
    while scope.name do
      table.insert(groups, 1, { name = scope.name, first = scope.first, last = scope.last })
      scope = scope.outer
    end
    list[i] = {
      name = test.name,
      where = test.where,
      first = test.first,
      last = test.last,
      pending = test.fn == nil,
      groups = #groups > 0 and groups or nil,
    }
  end
  return list
end

-- Running -----------------------------------------------------------------------------------------

---@param list string setup or before
local function run_befores(scope, list, ctx)
  if scope.outer then
    run_befores(scope.outer, list, ctx)
  end
  for i = 1, #scope[list] do
    scope[list][i](ctx)
  end
end

local function run_each(list, ctx, problems)
  for i = 1, #list do
    local ok, err = xpcall(list[i], raised.from_raised, ctx)
    if not ok then
      problems[#problems + 1] = err
    end
  end
end

---Runs all that comes after an `it`, from the inside out, and gathers what it raises.
local function run_afters(scope, ctx, problems)
  run_each(finals, ctx, problems)
  for _, list in pairs { "after", "teardown" } do
    local at = scope
    while at do
      run_each(at[list], ctx, problems)
      at = at.outer
    end
  end
end

---What the worker of one `it` runs.
function words.runner(name)
  local test = by_name[name]
  return function(ctx)
    if not test or not test.fn then
      return errors.throw("load_error", "there is no spec " .. shown.value(name) .. " any more")
    end
    local problems = {}
    local ok, err = xpcall(function()
      run_befores(test.group, "setup", ctx)
      run_befores(test.group, "before", ctx)
      test.fn(ctx)
    end, raised.from_raised)
    if not ok then
      problems[1] = err
    end
    local cleaned, problem = xpcall(blocks.shield, raised.from_raised, function()
      run_afters(test.group, ctx, problems)
    end)
    if not cleaned then
      problems[#problems + 1] = problem
    end
    if problems[1] then
      return error(scopes.with_others(table.remove(problems, 1), problems), 0)
    end
  end
end

return words
