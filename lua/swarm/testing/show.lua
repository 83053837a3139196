-- How values look in a message: bounded however big they are, their keys in an order that a reader
-- expects.
local errors = require "swarm.ground.errors"
local shown = require "swarm.ground.shown"
local values = require "swarm.values.values"
local getmetatable, next, type, tostring, rawget = getmetatable, next, type, tostring, rawget
local find, format = string.find, string.format
local gsub, sub = string.gsub, string.sub
local concat, sort, min = table.concat, table.sort, math.min

local show = {
  TEXT_SHOWN = 200, -- bytes of a string
  SHORT = 72, -- bytes of a value that stands on a line with others
}

local TEXT_SHOWN, SHORT = show.TEXT_SHOWN, show.SHORT
local KEYS_SHOWN = 20 -- of a table
local DEPTH_SHOWN = 5

local quoted = shown.quoted

local function show_text(text)
  if #text <= TEXT_SHOWN then
    return quoted(text)
  end
  return quoted(sub(text, 1, TEXT_SHOWN)) .. "... (" .. #text .. " bytes)"
end

---Whether a table is one of the host's objects, which show nothing of themselves: the same only as
---itself.
function show.is_opaque(value)
  local mark = getmetatable(value)
  return type(mark) == "string"
    and next(value) == nil
    and mark ~= "swarm.array"
    and mark ~= "swarm.object"
    and not values.is_kept(value)
end

local RANK = { number = 1, string = 2, boolean = 3 }

---The keys of a table, and of a second one, in an order that a reader expects.
local function sorted_keys(first, second)
  local keys = {}
  for key in next, first do
    keys[#keys + 1] = key
  end
  for key in next, second or {} do
    if rawget(first, key) == nil then
      keys[#keys + 1] = key
    end
  end
  sort(keys, function(a, b)
    local kind_a, kind_b = type(a), type(b)
    if kind_a ~= kind_b then
      return (RANK[kind_a] or 4) < (RANK[kind_b] or 4)
    elseif kind_a == "number" or kind_a == "string" then
      return a < b
    end
    return shown.text(a) < shown.text(b)
  end)
  return keys
end

---What leads from a table to one of its items, such as `.name` or `[2]`.
local function step(key)
  return shown.step(key, TEXT_SHOWN)
end

local show_value

---@param pad string? what lines begin with; nil: all on one line
local function show_table(value, pad, depth, within)
  if next(value) == nil then
    return "{}"
  elseif depth >= DEPTH_SHOWN or within[value] then
    return "{...}"
  end
  within[value] = true
  local deeper = pad and pad .. "  "
  local keys, parts = sorted_keys(value), {}
  for i = 1, min(#keys, KEYS_SHOWN) do
    local key = keys[i]
    local label = key == i and "" or gsub(step(key), "^%.", "") .. " = "
    parts[i] = (deeper or "") .. label .. show_value(rawget(value, key), deeper, depth + 1, within)
  end
  if #keys > KEYS_SHOWN then
    parts[#parts + 1] = (deeper or "") .. "... " .. #keys - KEYS_SHOWN .. " more"
  end
  within[value] = nil
  if pad then
    return "{\n" .. concat(parts, ",\n") .. "\n" .. pad .. "}"
  end
  return "{ " .. concat(parts, ", ") .. " }"
end

function show_value(value, pad, depth, within)
  local kind = type(value)
  if kind == "string" then
    return show_text(value)
  elseif kind == "number" then
    local text = tostring(value)
    return (value ~= value or tonumber(text) == value) and text or format("%.17g", value)
  elseif kind ~= "table" or show.is_opaque(value) then
    return shown.text(value)
  elseif errors.is(value) then
    return "error: " .. tostring(value)
  end
  return show_table(value, pad, depth or 0, within or {})
end

---A value on one line, or nil where it is too long for that.
---@return string?
local function on_one_line(value)
  local text = show_value(value)
  return #text <= SHORT and not find(text, "\n", 1, true) and text or nil
end

---A value as a reader takes it in: on one line where it is short.
---@param pad string? what further lines begin with
---@return string
function show.value(value, pad)
  return on_one_line(value) or show_value(value, pad or "")
end

---A value over as many lines as it has parts.
---@param pad string what further lines begin with
---@return string
function show.in_lines(value, pad)
  return show_value(value, pad)
end

show.sorted_keys, show.step, show.on_one_line = sorted_keys, step, on_one_line

return show
