-- swarm.inspect: any value as a text for people, bounded however big the value is, its keys sorted.
-- Nothing of the author's runs: fields are read raw, and no metatable is asked.
local errors = require "swarm.ground.errors"
local json = require "swarm.values.json"
local shown = require "swarm.ground.shown"
local values = require "swarm.values.values"
local debug_getmetatable = debug.getmetatable
local find, format, rep, sub = string.find, string.format, string.rep, string.sub
local concat, min, sort = table.concat, math.min, table.sort
local next, rawget, tonumber, tostring, type = next, rawget, tonumber, tostring, type

local SHORT = 80 -- bytes of a table that stands on one line
local MOST_TEXT = 1000 -- bytes of a string
local MOST_KEY = 60 -- of a key
local MOST_ITEMS = 50 -- of one table
local MOST_KEYS = 200 -- of one table that are sorted
local MOST_COUNTED = 1000000 -- keys of all tables together that are counted
local MOST_DEPTH = 6
local MOST_ALL = 1000 -- items of all tables together

local RANK = { number = 1, string = 2, boolean = 3 }

---A value that has no parts.
local function plain(value)
  local kind = type(value)
  if value == values.null then
    return "null"
  elseif kind == "string" then
    local text = shown.quoted(sub(value, 1, MOST_TEXT))
    return #value > MOST_TEXT and text .. "... (" .. #value .. " bytes)" or text
  elseif kind == "number" then
    local text = format("%.14g", value)
    return (value ~= value or tonumber(text) == value) and text or format("%.17g", value)
  elseif kind == "boolean" or kind == "nil" then
    return tostring(value)
  end
  return "<" .. kind .. ">"
end

---What the host's own objects are called, or nil: they have no parts that a script can see.
local function object(value)
  if values.is_file(value) then
    return "<file " .. shown.quoted((values.file_parts(value))) .. ">"
  end
  local metatable = debug_getmetatable(value)
  local mark = metatable and rawget(metatable, "__metatable")
  local ours = json.stand_in and next(value) == nil and json.stand_in(value)
  if ours then
    return "<" .. ours .. ">"
  elseif type(mark) == "string" and find(mark, "^swarm%f[%z.]") and next(value) == nil then
    return mark ~= "swarm.array" and mark ~= "swarm.object" and "<" .. mark .. ">" or nil
  end
end

---The first keys in the order of a reader: numbers, texts, truths, then all else.
---@return table keys, integer? count of all; nil where they are too many to be counted
local function keys_of(value, walk)
  local keys, count = {}, 0
  for key in next, value do
    count = count + 1
    if count <= MOST_KEYS then
      keys[count] = key
    else
      walk.counted = walk.counted + 1
      if walk.counted > MOST_COUNTED then
        count = nil
        break
      end
    end
  end
  sort(keys, function(a, b)
    local rank_a, rank_b = RANK[type(a)] or 4, RANK[type(b)] or 4
    if rank_a ~= rank_b then
      return rank_a < rank_b
    elseif rank_a < 3 then
      return a < b
    elseif rank_a == 3 then
      return a and not b
    end
    return type(a) < type(b)
  end)
  return keys, count
end

local function label(key)
  if type(key) == "string" then
    local is_name = #key <= MOST_KEY and find(key, "^[%a_][%w_]*$")
    return (is_name and key or "[" .. shown.key(key) .. "]") .. " = "
  end
  return "[" .. plain(key) .. "] = "
end

local show

---@param walk table { within: tables around → true, left: items that may still be shown, counted:
---keys beyond the first of their table }
local function parts_of(value, depth, walk)
  local keys, count = keys_of(value, walk)
  local parts = {}
  for i = 1, min(#keys, MOST_ITEMS) do
    if walk.left <= 0 then
      break
    end
    walk.left = walk.left - 1
    local key = keys[i]
    parts[i] = (key == i and "" or label(key)) .. show(rawget(value, key), depth + 1, walk)
  end
  if not count then
    parts[#parts + 1] = "... more"
  elseif count > #parts then
    parts[#parts + 1] = "... " .. count - #parts .. " more"
  end
  return parts
end

function show(value, depth, walk)
  if type(value) ~= "table" then
    return plain(value)
  end
  local ours = object(value)
  if ours then
    return ours
  elseif next(value) == nil then
    return "{}"
  elseif walk.within[value] then
    return "<cycle>"
  elseif depth >= MOST_DEPTH then
    return "{...}"
  end
  walk.within[value] = true
  local parts = parts_of(value, depth, walk)
  walk.within[value] = nil
  local head = errors.is(value) and "error " or ""
  local line = head .. "{ " .. concat(parts, ", ") .. " }"
  if #line <= SHORT and not find(line, "\n", 1, true) then
    return line
  end
  local pad = rep("  ", depth + 1)
  return head .. "{\n" .. pad .. concat(parts, ",\n" .. pad) .. "\n" .. rep("  ", depth) .. "}"
end

---swarm.inspect(v)
---@param value any
---@return string
return function(value)
  return show(value, 0, { within = {}, left = MOST_ALL, counted = 0 })
end
