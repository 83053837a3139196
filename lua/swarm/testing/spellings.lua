-- Assertions as busted and luassert spell them: `assert.is_not.same`, `assert.are_equal`,
-- `assert.has_no.errors`, `assert.spy(s).was.called(2)`. A name is taken apart at its underscores;
-- words such as `is` say nothing, `not` and `no` turn it round, and what is left is the assertion.
local closed = require "swarm.ground.closed"
local spelling = require "swarm.ground.spelling"
local type, pcall, error, select, tostring = type, pcall, error, select, tostring
local rawget, setmetatable = rawget, setmetatable
local gmatch, lower = string.gmatch, string.lower
local concat = table.concat

local spellings = {}

local SILENT = {}
for word in gmatch("is are was were has have had be been does do to the a an", "%a+") do
  SILENT[word] = true
end
local TURNS = { ["not"] = true, no = true }

local ALIASES = {
  equals = "equal",
  ["true"] = "is_true",
  ["false"] = "is_false",
  ["nil"] = "is_nil",
  falsey = "falsy",
  match = "matches",
  error = "has_error",
  errors = "has_error",
  matches_error = "error_matches",
  called_once = "called",
}

---What a name asks for.
---@return string? word the assertion; nil: only words such as `is`
---@return boolean turned
local function taken_apart(name, known)
  local left, turned = {}, false
  for word in gmatch(lower(name), "[^_]+") do
    if TURNS[word] and #left == 0 then
      turned = not turned
    elseif not SILENT[word] or #left > 0 then
      left[#left + 1] = word
    end
  end
  if #left == 0 then
    return nil, turned
  end
  local word = concat(left, "_")
  return rawget(known, word) and word or ALIASES[word] or word, turned
end

---@param known table name → function(…) that raises assertion_failed, each once
---@param fail function(message) raises it
---@param show fun(value: any): string
---@return fun(_, name: string): any index of `assert`
function spellings.index(known, fail, show)
  local function turn(word, fn)
    return function(...)
      local ok, err = pcall(fn, ...)
      if not ok then
        if type(err) == "table" and err.code == "assertion_failed" then
          return
        end
        return error(err, 0)
      end
      local shown = {}
      for i = 1, select("#", ...) do
        shown[i] = show((select(i, ...)))
      end
      return fail("expected that this does not hold: " .. word .. "(" .. concat(shown, ", ") .. ")")
    end
  end

  local chain

  ---@param subject table? what stands before: a spy
  local function find(name, turned, subject)
    local word, turns = taken_apart(name, known)
    if turns then
      turned = not turned
    end
    if not word then
      return chain(turned, subject)
    elseif word == "spy" or word == "stub" then
      return function(spied)
        return chain(turned, spied)
      end
    end
    local fn = rawget(known, word)
    if not fn then
      local hint = spelling.hint(name, known, "assert.")
      return closed.throw("assert." .. tostring(name) .. " does not exist" .. hint, name)
    end
    if subject then
      local of_subject = fn
      fn = function(...)
        return of_subject(subject, ...)
      end
    end
    return turned and turn(word, fn) or fn
  end

  function chain(turned, subject)
    return setmetatable({}, {
      __index = function(_, name)
        return find(name, turned, subject)
      end,
    })
  end

  return function(_, name)
    if type(name) ~= "string" then
      return nil
    end
    return find(name, false, nil)
  end
end

return spellings
