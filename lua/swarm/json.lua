-- JSON text for JSON-like values, both ways.
--
-- Encoding is one walk into a string buffer. It knows no paths: when it meets something that JSON
-- cannot hold it gives up, and values.outside finds the first offence and where it is. Decoding is
-- a recursive descent over the text's bytes, read through a pointer: Lua ends every string with a
-- zero byte, which no JSON token contains, so no read has to ask whether the text is over.

local errors = require "swarm.errors"
local ffi = require "ffi"
local string_buffer = require "string.buffer"
local table_new = require "table.new"
local values = require "swarm.values"

local getmetatable, next, tonumber, type = getmetatable, next, tonumber, type
local byte, char, find, format = string.byte, string.char, string.find, string.format
local gmatch, gsub, sub = string.gmatch, string.gsub, string.sub
local band, rshift = require("bit").band, require("bit").rshift
local floor, huge, sort = math.floor, math.huge, table.sort
local cast = ffi.cast
local null = values.null

local json = {}

local MAX_DEPTH, MAX_NODES = values.MAX_DEPTH, values.MAX_NODES
local MAX_DECODE_DEPTH = 512
local MAX_INTEGER = 2 ^ 53
-- Up to here %.14g, which is how a buffer writes a number, keeps every digit of an integer.
local MAX_PLAIN_INTEGER = 1e14
local MAX_SHORT_NUMBER = 1000
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
for i = 128, 255 do class[i] = HIGH end
for c, escape in next, {
  ['"'] = '\\"', ["\\"] = "\\\\", ["\b"] = "\\b", ["\f"] = "\\f", ["\n"] = "\\n", ["\r"] = "\\r",
  ["\t"] = "\\t",
} do
  class[byte(c)] = ESCAPED
  escapes[byte(c)] = escape
end

-- The length of the UTF-8 sequence that begins at p[i] with a high byte, or nil if it is not one.
local function utf8_length(p, i)
  local first, second = p[i], p[i + 1]
  if first < 0xC2 or first > 0xF4 or band(second, 0xC0) ~= 0x80 then return nil end
  if first < 0xE0 then return 2 end
  if band(p[i + 2], 0xC0) ~= 0x80 then return nil end
  if first < 0xF0 then
    -- Overlong forms and surrogates are the second byte's business.
    if first == 0xE0 and second < 0xA0 or first == 0xED and second > 0x9F then return nil end
    return 3
  end
  if first == 0xF0 and second < 0x90 or first == 0xF4 and second > 0x8F then return nil end
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

-- Encoding ---------------------------------------------------------------------------------------

local out = string_buffer.new()
local nodes = 0
local lossy, was_lossy = false, false

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
        if not lossy then return false end
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
      if not put_rest(p, i, length) then return false end
      out:put('"')
      return true
    end
  end
  out:put('"', s, '"')
  return true
end

local function put_number(n)
  if n - n ~= 0 then return false end
  if floor(n) == n and n < MAX_INTEGER and n > -MAX_INTEGER then
    if n < MAX_PLAIN_INTEGER and n > -MAX_PLAIN_INTEGER then
      out:put(n)
    else
      out:put(format("%.0f", n))
    end
    return true
  end
  local text = format("%.14g", n)
  if tonumber(text) ~= n then text = format("%.15g", n) end
  if tonumber(text) ~= n then text = format("%.16g", n) end
  if tonumber(text) ~= n then text = format("%.17g", n) end
  out:put(text)
  return true
end

local function sort_keys(keys, count)
  if count > MAX_INSERTION_SORT then return sort(keys) end
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
  if kind == "string" then return put_string(value) end
  if kind == "number" then return put_number(value) end
  if kind == "table" then return put_table(value, depth + 1) end
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
    if not put_string(mime) then return false end
  end
  out:put(',"path":')
  if not put_string(path) then return false end
  out:put("}")
  return true
end

local function put_list(t, length, depth)
  out:put("[")
  for i = 1, length do
    local item = t[i]
    if i > 1 then out:put(",") end
    if item == nil or not put_item(item, depth) then return false end
  end
  out:put("]")
  return true
end

function put_table(t, depth)
  local is_array, is_object = false, false
  if getmetatable(t) ~= nil then
    is_array, is_object = values.is_array(t), values.is_object(t)
    if not is_array and not is_object then return values.is_file(t) and put_file(t) end
  end
  local count = 0
  for _ in next, t do count = count + 1 end
  nodes = nodes + count + 1
  if depth > MAX_DEPTH or nodes > MAX_NODES then return false end

  local length = #t
  if length > 0 or is_array then
    -- With as many keys as items, 1..length all present means there is no other key.
    return count == length and not is_object and put_list(t, length, depth)
  end
  local keys, filled = table_new(count, 0), 0
  for key in next, t do
    if type(key) ~= "string" then return false end
    filled = filled + 1
    keys[filled] = key
  end
  sort_keys(keys, count)
  out:put("{")
  for i = 1, count do
    local key = keys[i]
    if i > 1 then out:put(",") end
    if not put_string(key) then return false end
    out:put(":")
    if not put_item(t[key], depth) then return false end
  end
  out:put("}")
  return true
end

---Writes a value as JSON text, with sorted keys and no space.
---@param value any
---@param root? string  the first word of an offence's path, such as "result"
---@param allow_lossy? boolean  write text that is not UTF-8 with U+FFFD for each bad byte
---@return string text
---@return boolean lossy  whether any byte was replaced
function json.encode(value, root, allow_lossy)
  out:reset()
  nodes, lossy, was_lossy = 0, allow_lossy or false, false
  if put_item(value, 0) then
    local text = out:get()
    if #text > MAX_KEPT_BUFFER then out:free() end
    return text, was_lossy
  end
  out:free()
  values.outside(value, root, not lossy and text_fault or nil)
  local path = root or "value"
  return errors.throw("invalid_value", path .. " cannot be written as JSON", { path = path })
end

-- Decoding ---------------------------------------------------------------------------------------

-- The text being read, and a pointer to its bytes: p[i] is byte(text, i + 1). `text` keeps the
-- bytes alive.
local text, p = "", cast(bytes_type, "")
local scratch = string_buffer.new()

local QUOTE, BACKSLASH, COMMA, COLON, MINUS, DOT = byte('"\\,:-.', 1, 6)
local ZERO, NINE, LOWER_E, UPPER_E, PLUS = byte("09eE+", 1, 5)
local OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT = byte("[]{}", 1, 4)

local function fail(expected, i)
  local source = text
  text = ""
  local line, line_start = 1, 1
  for newline in gmatch(sub(source, 1, i), "()\n") do
    line, line_start = line + 1, newline + 1
  end
  local _, inner = gsub(sub(source, line_start, i), "[\128-\191]", "")
  local column = i + 2 - line_start - inner
  local found = "the end of the text"
  if i < #source then
    local c = byte(source, i + 1)
    found = c > 32 and c < 127 and "'" .. char(c) .. "'" or format("byte 0x%02X", c)
  end
  local message = format("not JSON: expected %s at line %d, column %d, found %s", expected, line,
    column, found)
  errors.throw("invalid_value", message, { line = line, column = column })
end

local function skip_space(i)
  local c = p[i]
  while c == 32 or c == 10 or c == 13 or c == 9 do
    i = i + 1
    c = p[i]
  end
  return i, c
end

local function hex4(i)
  local digits = sub(text, i + 1, i + 4)
  if not find(digits, "^%x%x%x%x$") then fail("four hexadecimal digits after \\u", i) end
  return tonumber(digits, 16)
end

local function utf8_char(code)
  if code < 0x80 then return char(code) end
  local last = 0x80 + band(code, 0x3F)
  if code < 0x800 then return char(0xC0 + rshift(code, 6), last) end
  local third = 0x80 + band(rshift(code, 6), 0x3F)
  if code < 0x10000 then return char(0xE0 + rshift(code, 12), third, last) end
  return char(0xF0 + rshift(code, 18), 0x80 + band(rshift(code, 12), 0x3F), third, last)
end

local unescapes = {}
for letter, meaning in next, {
  ['"'] = '"', ["\\"] = "\\", ["/"] = "/", b = "\b", f = "\f", n = "\n", r = "\r", t = "\t",
} do
  unescapes[byte(letter)] = meaning
end

-- Reads \uXXXX, i at the first digit, and the low surrogate that may follow a high one.
local function read_code(i)
  local code = hex4(i)
  i = i + 4
  if code < 0xD800 or code > 0xDFFF then return utf8_char(code), i end
  if code < 0xDC00 and sub(text, i + 1, i + 2) == "\\u" then
    local low = hex4(i + 2)
    if low >= 0xDC00 and low <= 0xDFFF then
      return utf8_char(0x10000 + (code - 0xD800) * 0x400 + low - 0xDC00), i + 6
    end
  end
  return REPLACEMENT, i
end

-- Reads a string with escapes, i at the first backslash.
local function read_escaped(from, i)
  scratch:reset()
  while true do
    local c = p[i]
    if c == QUOTE then
      return scratch:putcdata(p + from, i - from):get(), i + 1
    elseif c == BACKSLASH then
      scratch:putcdata(p + from, i - from)
      local meaning = unescapes[p[i + 1]]
      if meaning then
        i = i + 2
      elseif p[i + 1] == 117 then
        meaning, i = read_code(i + 2)
      else
        fail('one of "\\/bfnrtu after a backslash', i + 1)
      end
      scratch:put(meaning)
      from = i
    elseif c < 32 then
      fail(i < #text and "an escape for a control character" or 'a closing "', i)
    else
      i = i + 1
    end
  end
end

-- Reads a string, i behind its opening quote.
local function read_string(i)
  local from, c = i, p[i]
  while c ~= QUOTE do
    if c == BACKSLASH or c < 32 then return read_escaped(from, i) end
    i = i + 1
    c = p[i]
  end
  return sub(text, from + 1, i), i + 1
end

local function skip_digits(i)
  local c = p[i]
  if c < ZERO or c > NINE then fail("a digit", i) end
  repeat
    i = i + 1
    c = p[i]
  until c < ZERO or c > NINE
  return i, c
end

local function read_number(i)
  local from, c = i, p[i]
  if c == MINUS then
    i = i + 1
    c = p[i]
  end
  if c == ZERO then
    i = i + 1
    c = p[i]
    if c >= ZERO and c <= NINE then fail("a number without a leading zero", i - 1) end
  else
    i, c = skip_digits(i)
  end
  if c == DOT then i, c = skip_digits(i + 1) end
  if c == LOWER_E or c == UPPER_E then
    i = i + 1
    c = p[i]
    if c == PLUS or c == MINUS then i = i + 1 end
    i = skip_digits(i)
  end
  local token = sub(text, from + 1, i)
  local n = tonumber(token)
  if n == nil then
    -- LuaJIT reads no exponent beyond a million: what it leaves is nothing, or too much.
    local tiny = find(token, "[eE]%-") or find(token, "^%-?[0.]+[eE]")
    n = #token < MAX_SHORT_NUMBER and tiny and 0 or huge
  end
  if n - n ~= 0 then fail("a number within the range of a double", from) end
  return n, i
end

local read_value

-- Reads a list, i behind its opening bracket.
local function read_list(i, depth)
  local list, count = {}, 0
  local c
  i, c = skip_space(i)
  if c == CLOSE_LIST then return values.array(list), i + 1 end
  while true do
    count = count + 1
    list[count], i = read_value(i, depth)
    i, c = skip_space(i)
    if c == CLOSE_LIST then return list, i + 1 end
    if c ~= COMMA then fail('"," or "]"', i) end
    i = i + 1
  end
end

-- Reads an object, i behind its opening brace.
local function read_object(i, depth)
  local object = {}
  local c, key
  i, c = skip_space(i)
  if c == CLOSE_OBJECT then return values.object(object), i + 1 end
  while true do
    if c ~= QUOTE then fail("a key in double quotes", i) end
    key, i = read_string(i + 1)
    i, c = skip_space(i)
    if c ~= COLON then fail('":"', i) end
    object[key], i = read_value(i + 1, depth)
    i, c = skip_space(i)
    if c == CLOSE_OBJECT then return object, i + 1 end
    if c ~= COMMA then fail('"," or "}"', i) end
    i, c = skip_space(i + 1)
  end
end

function read_value(i, depth)
  local c
  i, c = skip_space(i)
  if c == QUOTE then return read_string(i + 1) end
  if c == MINUS or c >= ZERO and c <= NINE then return read_number(i) end
  if c == OPEN_OBJECT or c == OPEN_LIST then
    if depth == MAX_DECODE_DEPTH then
      fail(format("at most %d levels of nesting", MAX_DECODE_DEPTH), i)
    end
    if c == OPEN_OBJECT then return read_object(i + 1, depth + 1) end
    return read_list(i + 1, depth + 1)
  end
  if sub(text, i + 1, i + 4) == "true" then return true, i + 4 end
  if sub(text, i + 1, i + 5) == "false" then return false, i + 5 end
  if sub(text, i + 1, i + 4) == "null" then return null, i + 4 end
  return fail("a value", i)
end

---Reads strict JSON text. Bytes above 0x7F in strings are kept as they are.
---@param source string
---@return any
function json.decode(source)
  if type(source) ~= "string" then
    errors.throw("invalid_value", "json.decode takes a string, not a " .. type(source))
  end
  text, p = source, cast(bytes_type, source)
  if sub(source, 1, 3) == "\239\187\191" then
    fail("a value, not a UTF-8 byte order mark,", 0)
  end
  local value, i = read_value(0, 0)
  i = skip_space(i)
  if i < #source then fail("the end of the text", i) end
  text = ""
  return value
end

return json
