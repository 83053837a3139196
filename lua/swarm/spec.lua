-- Specs: busted's vocabulary (describe, it, before_each, after_each, pending, assert.*). A spec
-- file is a script like any other: it defines its workers, and each `it` is a worker of the run
-- under a virtual clock, which jumps to the next timer when all wait.
local arguments = require "swarm.arguments"
local clock = require "swarm.clock"
local errors = require "swarm.errors"
local handles = require "swarm.handle"
local names = require "swarm.names"
local blocks = require "swarm.blocks"
local S = require "swarm.scheduler"
local type, pairs, tostring, pcall, rawequal = type, pairs, tostring, pcall, rawequal
local max = math.max
local concat, sort, find, format, rep =
  table.concat, table.sort, string.find, string.format, string.rep

local spec = {}

local tests = {} -- in the order of the file: { name, where, fn, group, pending }
local group = { name = nil, outer = nil, before = {}, after = {} }

-- Showing and comparing values --------------------------------------------------------------------

local function show(value, depth)
  depth = depth or 0
  if type(value) == "string" then
    return format("%q", value)
  elseif type(value) ~= "table" or handles.is(value) then
    return tostring(value)
  elseif errors.is(value) then
    return "error: " .. tostring(value)
  elseif depth > 6 then
    return "{...}"
  end
  local keys, lines, pad = {}, {}, rep("  ", depth + 1)
  for key in pairs(value) do
    keys[#keys + 1] = key
  end
  sort(keys, function(a, b)
    return tostring(a) < tostring(b)
  end)
  for i = 1, #keys do
    local key = keys[i]
    local label = type(key) == "string" and key or "[" .. tostring(key) .. "]"
    lines[i] = pad .. label .. " = " .. show(value[key], depth + 1)
  end
  return #lines == 0 and "{}" or "{\n" .. concat(lines, ",\n") .. "\n" .. rep("  ", depth) .. "}"
end

local function same(a, b)
  if rawequal(a, b) or a == b then
    return true
  elseif type(a) ~= "table" or type(b) ~= "table" or handles.is(a) or handles.is(b) then
    return false
  end
  for key, value in pairs(a) do
    if not same(value, b[key]) then
      return false
    end
  end
  for key in pairs(b) do
    if a[key] == nil then
      return false
    end
  end
  return true
end

-- assert.* ----------------------------------------------------------------------------------------

local function fail(message, note)
  local err = errors.new("assertion_failed", (note and tostring(note) .. ": " or "") .. message)
  err.where = errors.where()
  return error(err, 0)
end

local function expected(what, actual, note)
  return fail("expected " .. what .. "\nbut got " .. show(actual), note)
end

local asserts = {}

function asserts.equal(wanted, actual, note)
  if wanted ~= actual then
    return expected(show(wanted), actual, note)
  end
end
function asserts.not_equal(unwanted, actual, note)
  if unwanted == actual then
    return expected("anything but " .. show(unwanted), actual, note)
  end
end
function asserts.same(wanted, actual, note)
  if not same(wanted, actual) then
    return expected(show(wanted), actual, note)
  end
end
function asserts.not_same(unwanted, actual, note)
  if same(unwanted, actual) then
    return expected("anything but " .. show(unwanted), actual, note)
  end
end
function asserts.is_true(actual, note)
  if actual ~= true then
    return expected("true", actual, note)
  end
end
function asserts.is_false(actual, note)
  if actual ~= false then
    return expected("false", actual, note)
  end
end
function asserts.is_nil(actual, note)
  if actual ~= nil then
    return expected("nil", actual, note)
  end
end
function asserts.is_not_nil(actual, note)
  if actual == nil then
    return expected("anything but nil", actual, note)
  end
end
function asserts.truthy(actual, note)
  if not actual then
    return expected("a true value", actual, note)
  end
end
function asserts.falsy(actual, note)
  if actual then
    return expected("a false value", actual, note)
  end
end
function asserts.near(wanted, actual, tolerance, note)
  if type(actual) ~= "number" or actual - wanted > tolerance or wanted - actual > tolerance then
    return expected(wanted .. " within " .. tolerance, actual, note)
  end
end
function asserts.matches(pattern, actual, note)
  if type(actual) ~= "string" or not find(actual, pattern) then
    return expected("text that matches " .. show(pattern), actual, note)
  end
end

---Runs fn, which must raise. `wanted`: text that the error must contain, or fields it must have.
---Returns the error.
function asserts.has_error(fn, wanted, note)
  local ok, err = pcall(fn)
  if ok then
    return fail("expected an error, and there was none", note)
  end
  if type(wanted) == "string" and not find(tostring(err), wanted, 1, true) then
    return expected("an error that contains " .. show(wanted), err, note)
  elseif type(wanted) == "table" then
    for key, value in pairs(wanted) do
      if type(err) ~= "table" or not same(value, err[key]) then
        return expected("an error with " .. tostring(key) .. " = " .. show(value), err, note)
      end
    end
  end
  return err
end
function asserts.has_no_error(fn, note)
  local ok, err = pcall(fn)
  if not ok then
    return fail("expected no error, and got " .. show(err), note)
  end
end

for _, word in ipairs { "are", "is", "has" } do
  asserts[word] = asserts -- assert.are.same, as busted reads
end

local assert_face = setmetatable(asserts, {
  __call = function(_, value, message, ...)
    if not value then
      return error(
        message == nil and "assertion failed!" or message,
        type(message) == "string" and 2 or 0
      )
    end
    return value, message, ...
  end,
  __index = function(_, key)
    return errors.throw(
      "unknown_name",
      "assert." .. tostring(key) .. " does not exist" .. names.hint(key, asserts, "assert.")
    )
  end,
})

-- describe and it ---------------------------------------------------------------------------------

local function full_name(name)
  local parts = { name }
  local scope = group
  while scope.name do
    table.insert(parts, 1, scope.name)
    scope = scope.outer
  end
  return concat(parts, " > ")
end

local function describe(name, fn)
  group = { name = name, outer = group, before = {}, after = {} }
  fn()
  group = group.outer
end

local function it(name, fn)
  local full = full_name(name)
  for i = 1, #tests do
    if tests[i].name == full then
      return errors.throw("load_error", "two specs are called " .. show(full))
    end
  end
  tests[#tests + 1] =
    { name = full, where = errors.where(), fn = fn, group = group, pending = fn == nil }
end

---Gives a spec file its vocabulary.
function spec.prepare(env)
  env.describe = describe
  env.it = it
  env.pending = function(name)
    return it(name, nil)
  end
  env.before_each = function(fn)
    group.before[#group.before + 1] = fn
  end
  env.after_each = function(fn)
    group.after[#group.after + 1] = fn
  end
  env.assert = assert_face
  env.clock = {
    ---Moves the virtual clock on by s seconds, timer by timer: what is due until then runs first.
    ---Real I/O under way does not hold it, as it does the jump when all sleep.
    advance = function(s)
      local target = clock.virtual + arguments.seconds(s, "clock.advance")
      blocks.sleep(0) -- who is ready runs first, and sets its timers
      local due = S.next_deadline()
      while due and due <= target do
        clock.virtual = max(clock.virtual, due)
        blocks.sleep(0)
        blocks.yield()
        due = S.next_deadline()
      end
      clock.virtual = max(clock.virtual, target)
    end,
  }
end

---@return table list of { name, where, pending }
function spec.list()
  local list = {}
  for i = 1, #tests do
    local test = tests[i]
    list[i] = { name = test.name, where = test.where, pending = test.pending }
  end
  return list
end

local function run_befores(scope, ctx)
  if scope.outer then
    run_befores(scope.outer, ctx)
  end
  for i = 1, #scope.before do
    scope.before[i](ctx)
  end
end

---What the worker of one `it` runs.
function spec.runner(name)
  for i = 1, #tests do
    local test = tests[i]
    if test.name == name then
      return function(ctx)
        local function clean_up()
          local scope = test.group
          while scope do
            for j = 1, #scope.after do
              scope.after[j](ctx)
            end
            scope = scope.outer
          end
        end
        local ok, err = pcall(function()
          run_befores(test.group, ctx)
          test.fn(ctx)
        end)
        blocks.shield(clean_up)
        if not ok then
          return error(err, 0)
        end
      end
    end
  end
end

return spec
