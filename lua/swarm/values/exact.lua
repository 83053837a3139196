-- Values as text, and the very same values again: for what is kept of a run. Where JSON alone can
-- say a value it is JSON; else it begins with a blank, and what JSON cannot say stands in objects
-- of one key: "$bytes" (hexadecimal), "$array", "$object", "$file", "$error", "$kept", and "$pairs"
-- for tables with keys that look like these, or are no text.
local errors = require "swarm.ground.errors"
local json = require "swarm.values.json"
local kinds = require "swarm.values.kinds"
local values = require "swarm.values.values"
local byte, char, find = string.byte, string.char, string.find
local format, gsub, sub = string.format, string.gsub, string.sub
local debug_getmetatable, next, pairs = debug.getmetatable, next, pairs
local setmetatable, sort, tonumber, type = setmetatable, table.sort, tonumber, type

local exact = {}

local BLANK = 32

-- To text -----------------------------------------------------------------------------------------

local walk

local function hex(text)
  return (gsub(text, ".", function(c)
    return format("%02x", byte(c))
  end))
end

local function walk_text(text)
  return json.is_text(text) and text or { ["$bytes"] = hex(text) }
end

local function walk_list(list)
  local walked = {}
  for i = 1, #list do
    walked[i] = walk(list[i])
    if walked[i] == nil then
      return nil
    end
  end
  return #walked > 0 and walked or values.array(walked)
end

local function walk_fields(value)
  local walked, keys, odd = {}, {}, false
  for key, item in next, value do
    if type(key) ~= "string" then
      return nil
    end
    keys[#keys + 1] = key
    odd = odd or byte(key) == 36 or not json.is_text(key)
    walked[key] = walk(item)
    if walked[key] == nil then
      return nil
    end
  end
  if not odd then
    return walked
  end
  sort(keys)
  local list = {}
  for i = 1, #keys do
    list[i] = { walk_text(keys[i]), walked[keys[i]] }
  end
  return { ["$pairs"] = list }
end

function walk(value)
  local kind = type(value)
  if kind == "string" then
    return walk_text(value)
  elseif kind ~= "table" then
    if kind == "number" or kind == "boolean" or value == values.null then
      return value
    end
    return nil
  end
  local meta = debug_getmetatable(value)
  if meta == nil then
    return #value > 0 and walk_list(value) or #value == 0 and walk_fields(value) or nil
  elseif kinds.is_array(value) then
    local list = walk_list(value)
    return list and { ["$array"] = list }
  elseif kinds.is_object(value) then
    local fields = walk_fields(value)
    return fields and { ["$object"] = fields }
  elseif kinds.is_file(value) then
    local path, mime = kinds.file_parts(value)
    return { ["$file"] = { walk_text(path), mime and walk_text(mime) } }
  elseif kinds.is_kept(value) then
    local fields = walk_fields(value)
    local mark = errors.is(value) and "$error" or "$kept"
    return fields and { [mark] = { meta.__metatable, fields } }
  end
  return nil -- a live object
end

---A value as text.
---@param value any what may cross from one worker to another
---@return string? text nil: there is a live object in it, such as a channel
function exact.encode(value)
  local text = json.exact(value)
  if text then
    return text
  end
  local walked = walk(value)
  text = walked ~= nil and json.exact(walked)
  return text and " " .. text or nil
end

-- And back ----------------------------------------------------------------------------------------

local unwalk

local function unhex(text)
  return (gsub(text, "(%x%x)", function(digits)
    return char(tonumber(digits, 16))
  end))
end

local function unwalk_fields(fields)
  local value = {}
  for key, item in pairs(fields) do
    value[key] = unwalk(item)
  end
  return value
end

local function meta_of(mark)
  for meta in pairs(kinds.kept) do
    if meta.__metatable == mark then
      return meta
    end
  end
end

local READ = {
  ["$bytes"] = unhex,
  ["$array"] = function(list)
    return values.array(unwalk_fields(list))
  end,
  ["$object"] = function(fields)
    return values.object(unwalk(fields))
  end,
  ["$file"] = function(parts)
    return values.file(unwalk(parts[1]), parts[2] and unwalk(parts[2]))
  end,
  ["$pairs"] = function(list)
    local value = {}
    for i = 1, #list do
      value[unwalk(list[i][1])] = unwalk(list[i][2])
    end
    return value
  end,
  ["$error"] = function(parts)
    return setmetatable(unwalk(parts[2]), errors.metatable)
  end,
  ["$kept"] = function(parts)
    return setmetatable(unwalk(parts[2]), meta_of(parts[1]))
  end,
}

function unwalk(value)
  if type(value) ~= "table" then
    return value
  end
  local key, item = next(value)
  local read = type(key) == "string" and find(key, "^%$") and READ[key]
  if read then
    return read(item)
  end
  return unwalk_fields(value)
end

---The value of a text that encode has made.
---@param text string
---@return any
function exact.decode(text)
  if byte(text) == BLANK then
    return unwalk(json.decode(sub(text, 2), nil, true))
  end
  return (json.decode(text, nil, true))
end

return exact
