-- assert.*: what specs say about values. A failure is an error of code `assertion_failed` that
-- names the author's line, and shows where two values differ.
local diff = require "swarm.testing.diff"
local errors = require "swarm.ground.errors"
local frames = require "swarm.ground.frames"
local show = require("swarm.testing.show").value
local spellings = require "swarm.testing.spellings"
local spies = require "swarm.testing.spies"
local type, pairs, tostring, pcall, find = type, pairs, tostring, pcall, string.find
local same = diff.same

local function fail(message, note)
  local err = errors.new("assertion_failed", (note and tostring(note) .. ": " or "") .. message)
  err.where = frames.where()
  return error(err, 0)
end

local function expected(what, actual, note)
  return fail("expected " .. what .. "\nbut got " .. show(actual), note)
end

local asserts = {}

function asserts.equal(wanted, actual, note)
  if wanted ~= actual then
    local lines = diff.of_strings(wanted, actual)
    if lines then
      return fail("expected the same string, but " .. lines, note)
    elseif type(wanted) == "table" and same(wanted, actual) then
      local hint = "\nthey hold the same, but are two tables: for that there is assert.same"
      return fail(
        "expected one and the same table, but got another: " .. show(actual) .. hint,
        note
      )
    end
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
    if type(wanted) ~= "table" or type(actual) ~= "table" then
      local lines = diff.of_strings(wanted, actual)
      if lines then
        return fail("expected the same string, but " .. lines, note)
      end
      return expected(show(wanted), actual, note)
    end
    return fail("the values differ (- expected, + got)\n" .. diff.places(wanted, actual), note)
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
  if type(wanted) ~= "number" or type(tolerance) ~= "number" then
    return fail("assert.near takes (wanted, actual, tolerance), wanted and tolerance numbers", note)
  end
  local apart = type(actual) == "number" and math.abs(actual - wanted)
  if actual ~= wanted and not (apart and apart <= tolerance) then -- NaN is near nothing
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

-- What busted has besides. `known` are all by their plain names.
local known = {}
for name, fn in pairs(asserts) do
  known[name] = fn
end

---The error must match a pattern. Returns the error.
function known.error_matches(fn, pattern, note)
  local err = asserts.has_error(fn, nil, note)
  asserts.matches(pattern, type(err) == "table" and err.message or tostring(err), note)
  return err
end

local KINDS = { "boolean", "number", "string", "table", "function", "userdata", "thread" }
for _, kind in pairs(KINDS) do
  known[kind] = function(actual, note)
    if type(actual) ~= kind then
      return expected("a " .. kind, actual, note)
    end
  end
end
spies.assertions(known, expected)

for _, word in pairs { "are", "is", "has" } do
  asserts[word] = asserts -- assert.are.same, as busted reads
end

---What `assert` is in a spec file: Lua's own, with the assertions as its fields.
return setmetatable(asserts, {
  __call = function(_, value, message, ...)
    if not value then
      return error(
        message == nil and "assertion failed!" or message,
        type(message) == "string" and 2 or 0
      )
    end
    return value, message, ...
  end,
  __index = spellings.index(known, fail, show),
})
