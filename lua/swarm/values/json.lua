-- JSON text for JSON-like values; the other way is json_decode.lua.
--
-- Encoding is one walk into a string buffer. It knows no paths: when it meets something that JSON
-- cannot hold it gives up, and values.outside finds the first offence and where it is.

local decode = require "swarm.values.json_decode"
local errors = require "swarm.ground.errors"
local ffi = require "ffi"
local string_buffer = require "string.buffer"
local table_new = require "table.new"
local values = require "swarm.values.values"

local getmetatable, next, tonumber, type = getmetatable, next, tonumber, type
local byte, format, band = string.byte, string.format, require("bit").band
local floor, sort = math.floor, table.sort
local cast = ffi.cast
local null = values.null

local json = {
  decode = decode,
  stand_in = nil, -- wiring: what stands for a live object where bytes may be lost: logs, events
}

local MAX_DEPTH, MAX_NODES = values.MAX_DEPTH, values.MAX_NODES
local MAX_INTEGER = 2 ^ 53
-- Up to here %.14g, which is how a buffer writes a number, keeps every digit of an integer.
local MAX_PLAIN_INTEGER = 1e14
local MAX_KEPT_BUFFER = 1048576
local MAX_INSERTION_SORT = 24
local REPLACEMENT = "\239\191\189"

local bytes_type = ffi.typeof("const uint8_t *")

local PLAIN, ESCAPED, HIGH = 0, 1, 2
local class = ffi.new("uint8_t[256]")
local escapes = {}
for i = 0, 31 do
  class[i] = ESCAPED
  escapes[i] = format("\\u%04x", i)
end
for i = 128, 255 do
  class[i] = HIGH
end
for c, escape in
  next,
  {
    ['"'] = '\\"',
    ["\\"] = "\\\\",
    ["\b"] = "\\b",
    ["\f"] = "\\f",
    ["\n"] = "\\n",
    ["\r"] = "\\r",
    ["\t"] = "\\t",
  }
do
  class[byte(c)] = ESCAPED
  escapes[byte(c)] = escape
end

-- The length of the UTF-8 sequence that begins at p[i] with a high byte, or nil if it is not one.
local function utf8_length(p, i)
  local first, second = p[i], p[i + 1]
  if first < 0xC2 or first > 0xF4 or band(second, 0xC0) ~= 0x80 then
    return nil
  end
  if first < 0xE0 then
    return 2
  end
  if band(p[i + 2], 0xC0) ~= 0x80 then
    return nil
  end
  if first < 0xF0 then
    -- Overlong forms and surrogates are the second byte's business.
    if first == 0xE0 and second < 0xA0 or first == 0xED and second > 0x9F then
      return nil
    end
    return 3
  end
  if first == 0xF0 and second < 0x90 or first == 0xF4 and second > 0x8F then
    return nil
  end
  return band(p[i + 3], 0xC0) == 0x80 and 4 or nil
end

local function text_fault(text)
  local p, i = cast(bytes_type, text), 0
  while i < #text do
    local length = p[i] < 0x80 and 1 or utf8_length(p, i)
    if not length then
      return format("is not UTF-8 (byte 0x%02X at position %d)", p[i], i + 1)
    end
    i = i + length
  end
  return nil
end

-- Encoding ----------------------------------------------------------------------------------------

local out = string_buffer.new()
local nodes = 0
local lossy, was_lossy = false, false
local exact = false

-- Writes a string from its first byte that is not plain ASCII.
local function put_rest(p, i, length)
  local from = 0
  while i < length do
    local c = class[p[i]]
    if c == PLAIN then
      i = i + 1
    elseif c == ESCAPED then
      out:putcdata(p + from, i - from):put(escapes[p[i]])
      i = i + 1
      from = i
    else
      local sequence = utf8_length(p, i)
      if sequence then
        i = i + sequence
      else
        if not lossy then
          return false
        end
        was_lossy = true
        out:putcdata(p + from, i - from):put(REPLACEMENT)
        i = i + 1
        from = i
      end
    end
  end
  out:putcdata(p + from, length - from)
  return true
end

local function put_string(s)
  local p, length = cast(bytes_type, s), #s
  for i = 0, length - 1 do
    if class[p[i]] ~= PLAIN then
      out:put('"')
      if not put_rest(p, i, length) then
        return false
      end
      out:put('"')
      return true
    end
  end
  out:put('"', s, '"')
  return true
end

local function put_number(n)
  if n - n ~= 0 then
    return false
  end
  if floor(n) == n and n < MAX_INTEGER and n > -MAX_INTEGER then
    if n < MAX_PLAIN_INTEGER and n > -MAX_PLAIN_INTEGER then
      out:put(n)
    else
      out:put(format("%.0f", n))
    end
    return true
  end
  local text = format("%.14g", n)
  if tonumber(text) ~= n then
    text = format("%.15g", n)
  end
  if tonumber(text) ~= n then
    text = format("%.16g", n)
  end
  if tonumber(text) ~= n then
    text = format("%.17g", n)
  end
  out:put(text)
  return true
end

local function sort_keys(keys, count)
  if count > MAX_INSERTION_SORT then
    return sort(keys)
  end
  for i = 2, count do
    local key, j = keys[i], i - 1
    while j > 0 and key < keys[j] do
      keys[j + 1] = keys[j]
      j = j - 1
    end
    keys[j + 1] = key
  end
end

local put_table

local function put_item(value, depth)
  local kind = type(value)
  if kind == "string" then
    return put_string(value)
  end
  if kind == "number" then
    return put_number(value)
  end
  if kind == "table" then
    return put_table(value, depth + 1)
  end
  if kind == "boolean" then
    out:put(value and "true" or "false")
    return true
  elseif value == nil or value == null then
    out:put("null")
    return true
  end
  return false
end

local function put_file(file)
  local path, mime = values.file_parts(file)
  out:put('{"kind":"file_ref"')
  if mime then
    out:put(',"mime":')
    if not put_string(mime) then
      return false
    end
  end
  out:put(',"path":')
  if not put_string(path) then
    return false
  end
  out:put("}")
  return true
end

local function put_list(t, length, depth)
  out:put("[")
  for i = 1, length do
    local item = t[i]
    if i > 1 then
      out:put(",")
    end
    if item == nil or not put_item(item, depth) then
      return false
    end
  end
  out:put("]")
  return true
end

function put_table(t, depth)
  local is_array, is_object = false, false
  if getmetatable(t) ~= nil then
    is_array, is_object = values.is_array(t), values.is_object(t)
    if exact and (not is_array or next(t) ~= nil) then
      return false
    end
    if not is_array and not is_object and not values.is_kept(t) then
      local stand_in = lossy and json.stand_in(t)
      if stand_in then
        return put_string(stand_in)
      end
      return values.is_file(t) and put_file(t)
    end
  end
  local count = 0
  for _ in next, t do
    count = count + 1
  end
  nodes = nodes + count + 1
  if depth > MAX_DEPTH or nodes > MAX_NODES then
    return false
  end

  local length = #t
  if length > 0 or is_array then
    -- With as many keys as items, 1..length all present means there is no other key.
    return count == length and not is_object and put_list(t, length, depth)
  end
  local keys, filled = table_new(count, 0), 0
  for key in next, t do
    if type(key) ~= "string" then
      return false
    end
    filled = filled + 1
    keys[filled] = key
  end
  sort_keys(keys, count)
  out:put("{")
  for i = 1, count do
    local key = keys[i]
    if i > 1 then
      out:put(",")
    end
    if not put_string(key) then
      return false
    end
    out:put(":")
    if not put_item(t[key], depth) then
      return false
    end
  end
  out:put("}")
  return true
end

---Writes a value as JSON text, with sorted keys and no space.
---@param value any
---@param root? string  the first word of an offence's path, such as "result"
---@param allow_lossy? boolean  write text that is not UTF-8 with U+FFFD for each bad byte, and a
---live object (a handle) as what stands for it
---@return string text
---@return boolean lossy  whether any byte was replaced
function json.encode(value, root, allow_lossy)
  out:reset()
  nodes, lossy, was_lossy = 0, allow_lossy or false, false
  if put_item(value, 0) then
    local text = out:get()
    if #text > MAX_KEPT_BUFFER then
      out:free()
    end
    return text, was_lossy
  end
  out:free()
  values.outside(value, root, not lossy and text_fault or nil)
  local path = root or "value"
  return errors.throw("invalid_value", path .. " cannot be written as JSON", { path = path })
end

---Writes a value as JSON text from which exact.lua reads the very same value.
---@return string? text nil: JSON alone cannot say it
function json.exact(value)
  out:reset()
  nodes, lossy, exact = 0, false, true
  local ok = put_item(value, 0)
  exact = false
  if not ok then
    out:free()
    return nil
  end
  return out:get()
end

---Whether a string is UTF-8.
---@return boolean
function json.is_text(text)
  return text_fault(text) == nil
end

---JSON text of a value for the host, whatever is in it: bytes that are not UTF-8 are replaced.
---@return string
function json.text_of(value)
  return (json.encode(value, "value", true))
end

---swarm.json, as scripts have it.
json.face = {
  encode = function(value)
    return (json.encode(value, "value"))
  end,
  decode = function(source)
    return (decode(source))
  end,
}

return json
