-- Spies and stubs, as busted has them: functions that remember how they were called. Each `it` has
-- a host of its own, so that none outlives it.
local closed = require "swarm.ground.closed"
local diff = require "swarm.testing.diff"
local errors = require "swarm.ground.errors"
local shown = require "swarm.ground.shown"
local type, pairs, pcall, error, select = type, pairs, pcall, error, select
local getmetatable, setmetatable, rawget, rawequal = getmetatable, setmetatable, rawget, rawequal

local spies = {}

local Spy, Matcher = {}, {}

local function is_spy(value)
  return type(value) == "table" and getmetatable(value) == Spy
end
spies.is = is_spy

---Values as they were when they were given: what is a table may change later.
local function copied(value, seen)
  if type(value) ~= "table" or getmetatable(value) ~= nil then
    return value
  end
  seen = seen or {}
  local copy = seen[value]
  if not copy then
    copy = {}
    seen[value] = copy
    for key, item in pairs(value) do
      copy[copied(key, seen)] = copied(item, seen)
    end
  end
  return copy
end

local function packed(...)
  local list = { n = select("#", ...) }
  for i = 1, list.n do
    list[i] = copied((select(i, ...)))
  end
  return list
end

---Whether what was given is what was meant, matchers among it.
local function fits(meant, given)
  if getmetatable(meant) == Matcher then
    return meant.fits(given)
  end
  return diff.same(meant, given)
end

local function all_fit(meant, given)
  for i = 1, math.max(meant.n, given.n) do
    if not fits(meant[i], given[i]) then
      return false
    end
  end
  return true
end

-- Spies -------------------------------------------------------------------------------------------

local methods = {}

local function remember(spy, ok, ...)
  if ok then
    spy.returned[#spy.returned + 1] = packed(...)
    return ...
  end
  return error((...), 0)
end

Spy.__index = function(spy, name)
  local method = methods[name]
  if not method then
    return closed.has_no("a spy", name, methods)
  end
  -- stub.returns(1) and spy:clear() are both written
  return function(first, ...)
    if rawequal(first, spy) then
      return method(spy, ...)
    end
    return method(spy, first, ...)
  end
end

Spy.__call = function(spy, ...)
  local given = packed(...)
  spy.calls[#spy.calls + 1] = { vals = given, refs = { ... } }
  local target = spy.target
  for i = 1, #spy.answers do
    if all_fit(spy.answers[i].meant, given) then
      target = spy.answers[i].target
    end
  end
  return remember(spy, pcall(target, ...))
end

function methods.returns(spy, ...)
  local values = packed(...)
  spy.target = function()
    return unpack(values, 1, values.n)
  end
  return spy
end

function methods.invokes(spy, fn)
  spy.target = fn
  return spy
end

function methods.clear(spy)
  spy.calls, spy.returned = {}, {}
  return spy
end

function methods.revert(spy)
  if spy.table then
    spy.table[spy.key] = spy.original
  end
  return spy.original
end

---What it answers where it is called with these.
function methods.on_call_with(spy, ...)
  local answer = { meant = packed(...), target = spy.target }
  spy.answers[#spy.answers + 1] = answer
  return {
    returns = function(...)
      local values = packed(...)
      answer.target = function()
        return unpack(values, 1, values.n)
      end
    end,
    invokes = function(fn)
      answer.target = fn
    end,
  }
end

local function new(target)
  if type(target) ~= "function" and not is_spy(target) and type(target) ~= "table" then
    local message = "spy.new takes a function, and got " .. shown.value(target)
    return errors.throw("invalid_argument", message)
  end
  local spy = { target = target, calls = {}, returned = {}, answers = {} }
  spy.by_default = {
    returns = function(...)
      return methods.returns(spy, ...)
    end,
    invokes = function(fn)
      return methods.invokes(spy, fn)
    end,
  }
  return setmetatable(spy, Spy)
end

local function put(spy, object, key)
  if type(object) ~= "table" then
    local message = "a spy takes a table and a key, and got " .. shown.value(object)
    return errors.throw("invalid_argument", message)
  end
  spy.table, spy.key, spy.original = object, key, rawget(object, key)
  object[key] = spy
  return spy
end

local function nothing() end

---spy.new(fn), spy.on(table, key), spy.is_spy(value)
spies.spy = {
  new = function(fn)
    return new(fn or nothing)
  end,
  on = function(object, key)
    return put(new(object[key]), object, key)
  end,
  is_spy = is_spy,
}

local function stub(object, key, ...)
  local spy = object == nil and new(nothing) or put(new(nothing), object, key)
  if select("#", ...) > 0 then
    methods.returns(spy, ...)
  end
  return spy
end

---stub(table, key, …what it returns) and stub.new(table?, key?)
spies.stub = setmetatable({ new = stub }, {
  __call = function(_, ...)
    return stub(...)
  end,
})

---mock(table, is_stub): a spy in the place of each function, those of inner tables too.
function spies.mock(object, is_stub, seen)
  seen = seen or {}
  if type(object) == "table" and not is_spy(object) and not seen[object] then
    seen[object] = true
    for key, value in pairs(object) do
      if type(value) == "function" then
        put(new(is_stub and nothing or value), object, key)
      else
        spies.mock(value, is_stub, seen)
      end
    end
  end
  return object
end

-- Matchers ----------------------------------------------------------------------------------------

---match.is_table(), match.is_not.same(x), match._: stand for a value among those of a call.
---@param asserts table `assert` of a spec file
---@return table
local function matchers(asserts)
  local any = setmetatable({
    fits = function()
      return true
    end,
  }, Matcher)
  return setmetatable({ _ = any, _any = any, any = any }, {
    __index = function(_, name)
      local assertion = asserts[name]
      if type(assertion) == "table" then
        return matchers(assertion) -- match.is_not.same(x)
      end
      return function(...)
        local meant = packed(...)
        return setmetatable({
          fits = function(given)
            meant[meant.n + 1] = given
            return (pcall(assertion, unpack(meant, 1, meant.n + 1)))
          end,
        }, Matcher)
      end
    end,
  })
end

spies.match = matchers

-- Assertions --------------------------------------------------------------------------------------

---@param asserts table filled with what is said of spies
---@param expected function(what, actual) raises
function spies.assertions(asserts, expected)
  local function counted(name, holds)
    asserts[name] = function(spy, count)
      if not is_spy(spy) then
        return expected("a spy", spy)
      end
      local calls = #spy.calls
      if not holds(calls, count) then
        local what = name .. (count and "(" .. shown.value(count) .. ")" or "")
        return expected("a spy that was " .. what .. " times", calls)
      end
    end
  end
  counted("called", function(calls, count)
    return count == nil and calls > 0 or calls == count
  end)
  counted("called_at_least", function(calls, count)
    return calls >= count
  end)
  counted("called_at_most", function(calls, count)
    return calls <= count
  end)
  counted("called_more_than", function(calls, count)
    return calls > count
  end)
  counted("called_less_than", function(calls, count)
    return calls < count
  end)

  function asserts.called_with(spy, ...)
    local meant = packed(...)
    for i = 1, #spy.calls do
      if all_fit(meant, spy.calls[i].vals) then
        return
      end
    end
    local given = {}
    for i = 1, #spy.calls do
      given[i] = spy.calls[i].vals
    end
    return expected("a call with these arguments among those of the spy", given)
  end

  function asserts.returned_with(spy, ...)
    local meant = packed(...)
    for i = 1, #spy.returned do
      if all_fit(meant, spy.returned[i]) then
        return
      end
    end
    return expected("these values among those that the spy returned", spy.returned)
  end
end

return spies
