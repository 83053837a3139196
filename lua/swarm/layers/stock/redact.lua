-- redact: what its patterns find in the texts of events, results, reasons and errors is masked.
--
-- What the worker says goes through `event` before anybody has it, its final included; what it
-- raises goes through `around`, as a copy that is the same error to the host.
local errors = require "swarm.ground.errors"
local options = require "swarm.layers.options"
local problem_of = require "swarm.layers.patterns"
local raised = require "swarm.ground.raised"
local shown = require "swarm.ground.shown"
local tails = require "swarm.worker.output.tail"
local values = require "swarm.values.values"
local debug_getmetatable, error, next, pairs = debug.getmetatable, error, next, pairs
local rawget, rawset, type, xpcall = rawget, rawset, type, xpcall
local find, gsub, sort = string.find, string.gsub, table.sort

local MASK = "[redacted]"

local function masked_text(text, patterns)
  for i = 1, #patterns do
    text = gsub(text, patterns[i], MASK)
  end
  return text
end

---Whether what is in a table is to be looked at: a handle, say, is not.
local function is_plain(value)
  local mt = debug_getmetatable(value)
  return mt == nil
    or mt == errors.metatable
    or values.is_array(value)
    or values.is_object(value)
    or values.is_kept(value)
end

-- What stays of an error: it is no text of the worker's.
local KEPT = { code = true, where = true, task_id = true, name = true, spawned_at = true }

local mask

local function masked(value, patterns, seen)
  if type(value) == "string" then
    return masked_text(value, patterns)
  elseif type(value) == "table" and not seen[value] and is_plain(value) then
    seen[value] = true
    mask(value, patterns, seen)
  end
  return value
end

---Gives what stands under a text that shows a secret another name.
local function rename(value, key, patterns)
  local base, n = masked_text(key, patterns), 1
  local name = base
  while rawget(value, name) ~= nil do -- two of them may be one now
    n = n + 1
    name = base .. " " .. n
  end
  rawset(value, name, rawget(value, key))
  rawset(value, key, nil)
end

---Masks the texts in a table that is nobody else's.
function mask(value, patterns, seen)
  local is_error = debug_getmetatable(value) == errors.metatable
  local names = {}
  for key, item in next, value do
    if not (is_error and KEPT[key]) then
      rawset(value, key, masked(item, patterns, seen))
    end
    if type(key) == "string" and not is_error and masked_text(key, patterns) ~= key then
      names[#names + 1] = key
    end
  end
  sort(names)
  for i = 1, #names do
    rename(value, names[i], patterns)
  end
end

---Masks what an error is told by: its fields, those of errors in it, and what a __tostring gave.
local function mask_error(err, patterns)
  local seen = {}
  masked(err, patterns, seen)
  for one in pairs(seen) do
    local about = errors.known[one]
    if about and about.text then
      local own = {}
      for key, item in next, about do
        own[key] = item
      end
      own.text = masked_text(about.text, patterns)
      errors.known[one] = own
    end
  end
end

local function check_pattern(pattern)
  if type(pattern) ~= "string" then
    return options.must("each of patterns", "a Lua pattern", pattern)
  end
  local named = "the pattern " .. shown.value(pattern)
  local problem = problem_of(pattern)
  if problem then
    return options.wrong(named .. " " .. problem)
  elseif find("", pattern) then
    return options.wrong(named .. " finds nothing at all too, and so would mask everywhere")
  end
  return pattern
end

local function check_patterns(list)
  local example = 'a list of Lua patterns, such as { "sk%-%w+" }'
  if type(list) ~= "table" or #list == 0 then
    return options.must("patterns", example, list)
  end
  local patterns = {}
  for key, pattern in pairs(list) do
    if type(key) ~= "number" then
      local message = "patterns must be %s, and has the key %s"
      return options.wrong(message:format(example, shown.value(key)))
    end
    patterns[key] = check_pattern(pattern)
  end
  return patterns
end

return {
  options = options.of { patterns = check_patterns },

  event = function(_, event, given)
    local patterns, seen, slot = given.patterns, {}, tails.SLOTS[event.type]
    for key, item in pairs(event) do
      if key == slot then
        if item.kind == "inline" then
          item.value = masked(item.value, patterns, seen)
        end
      elseif key ~= "type" then
        event[key] = masked(item, patterns, seen)
      end
    end
    return event
  end,

  around = function(_, following, given)
    local ok, result = xpcall(following, raised.from_raised)
    if ok then
      return result
    end
    local copy = errors.link(result, raised.crossing(result))
    mask_error(copy, given.patterns)
    return error(copy, 0)
  end,
}
