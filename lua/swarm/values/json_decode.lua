-- JSON text into values: a recursive descent over the text's bytes, read through a pointer. Lua
-- ends every string with a zero byte, which no JSON token contains, so no read has to ask whether
-- the text is over.
local errors = require "swarm.ground.errors"
local ffi = require "ffi"
local string_buffer = require "string.buffer"
local values = require "swarm.values.values"

local next, tonumber = next, tonumber
local byte, char, find, format = string.byte, string.char, string.find, string.format
local gmatch, gsub, sub = string.gmatch, string.gsub, string.sub
local band, rshift = require("bit").band, require("bit").rshift
local huge, min = math.huge, math.min
local cast = ffi.cast
local null = values.null

local MAX_DECODE_DEPTH = 512
local MAX_SHORT_NUMBER = 1000
local REPLACEMENT = "\239\191\189"

local bytes_type = ffi.typeof("const uint8_t *")

-- The text being read, and a pointer to its bytes: p[i] is byte(text, i + 1). `text` keeps the
-- bytes alive.
local text, p = "", cast(bytes_type, "")
local deepest = MAX_DECODE_DEPTH -- levels that this text may have
local exact = false -- an empty object is a plain table
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
  local message =
    format("not JSON: expected %s at line %d, column %d, found %s", expected, line, column, found)
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
  if not find(digits, "^%x%x%x%x$") then
    fail("four hexadecimal digits after \\u", i)
  end
  return tonumber(digits, 16)
end

local function utf8_char(code)
  if code < 0x80 then
    return char(code)
  end
  local last = 0x80 + band(code, 0x3F)
  if code < 0x800 then
    return char(0xC0 + rshift(code, 6), last)
  end
  local third = 0x80 + band(rshift(code, 6), 0x3F)
  if code < 0x10000 then
    return char(0xE0 + rshift(code, 12), third, last)
  end
  return char(0xF0 + rshift(code, 18), 0x80 + band(rshift(code, 12), 0x3F), third, last)
end

local unescapes = {}
for letter, meaning in
  next,
  {
    ['"'] = '"',
    ["\\"] = "\\",
    ["/"] = "/",
    b = "\b",
    f = "\f",
    n = "\n",
    r = "\r",
    t = "\t",
  }
do
  unescapes[byte(letter)] = meaning
end

-- Reads \uXXXX, i at the first digit, and the low surrogate that may follow a high one.
local function read_code(i)
  local code = hex4(i)
  i = i + 4
  if code < 0xD800 or code > 0xDFFF then
    return utf8_char(code), i
  end
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
    if c == BACKSLASH or c < 32 then
      return read_escaped(from, i)
    end
    i = i + 1
    c = p[i]
  end
  return sub(text, from + 1, i), i + 1
end

local function skip_digits(i)
  local c = p[i]
  if c < ZERO or c > NINE then
    fail("a digit", i)
  end
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
    if c >= ZERO and c <= NINE then
      fail("a number without a leading zero", i - 1)
    end
  else
    i, c = skip_digits(i)
  end
  if c == DOT then
    i, c = skip_digits(i + 1)
  end
  if c == LOWER_E or c == UPPER_E then
    i = i + 1
    c = p[i]
    if c == PLUS or c == MINUS then
      i = i + 1
    end
    i = skip_digits(i)
  end
  local token = sub(text, from + 1, i)
  local n = tonumber(token)
  if n == nil then
    -- LuaJIT reads no exponent beyond a million: what it leaves is nothing, or too much.
    local tiny = find(token, "[eE]%-") or find(token, "^%-?[0.]+[eE]")
    n = #token < MAX_SHORT_NUMBER and tiny and 0 or huge
  end
  if n - n ~= 0 then
    fail("a number within the range of a double", from)
  end
  return n, i
end

local read_value

-- Reads a list, i behind its opening bracket.
local function read_list(i, depth)
  local list, count = {}, 0
  local c
  i, c = skip_space(i)
  if c == CLOSE_LIST then
    return values.array(list), i + 1
  end
  while true do
    count = count + 1
    list[count], i = read_value(i, depth)
    i, c = skip_space(i)
    if c == CLOSE_LIST then
      return list, i + 1
    end
    if c ~= COMMA then
      fail('"," or "]"', i)
    end
    i = i + 1
  end
end

-- Reads an object, i behind its opening brace.
local function read_object(i, depth)
  local object = {}
  local c, key
  i, c = skip_space(i)
  if c == CLOSE_OBJECT then
    return exact and object or values.object(object), i + 1
  end
  while true do
    if c ~= QUOTE then
      fail("a key in double quotes", i)
    end
    key, i = read_string(i + 1)
    i, c = skip_space(i)
    if c ~= COLON then
      fail('":"', i)
    end
    object[key], i = read_value(i + 1, depth)
    i, c = skip_space(i)
    if c == CLOSE_OBJECT then
      return object, i + 1
    end
    if c ~= COMMA then
      fail('"," or "}"', i)
    end
    i, c = skip_space(i + 1)
  end
end

function read_value(i, depth)
  local c
  i, c = skip_space(i)
  if c == QUOTE then
    return read_string(i + 1)
  end
  if c == MINUS or c >= ZERO and c <= NINE then
    return read_number(i)
  end
  if c == OPEN_OBJECT or c == OPEN_LIST then
    if depth == deepest then
      fail(format("at most %d levels of nesting", deepest), i)
    end
    if c == OPEN_OBJECT then
      return read_object(i + 1, depth + 1)
    end
    return read_list(i + 1, depth + 1)
  end
  if sub(text, i + 1, i + 4) == "true" then
    return true, i + 4
  end
  if sub(text, i + 1, i + 5) == "false" then
    return false, i + 5
  end
  if sub(text, i + 1, i + 4) == "null" then
    return null, i + 4
  end
  return fail("a value", i)
end

---Reads strict JSON text. Bytes above 0x7F in strings are kept as they are.
---@param source string
---@param depth integer? levels of nesting that it may have, where that is fewer than 512
---@param unmarked boolean? an empty object is a plain table
---@return any
local function decode(source, depth, unmarked)
  if type(source) ~= "string" then
    errors.throw("invalid_value", "json.decode takes a string, not a " .. type(source))
  end
  text, p, exact = source, cast(bytes_type, source), unmarked or false
  deepest = depth and min(depth, MAX_DECODE_DEPTH) or MAX_DECODE_DEPTH
  if sub(source, 1, 3) == "\239\187\191" then
    fail("a value, not a UTF-8 byte order mark,", 0)
  end
  local value, i = read_value(0, 0)
  i = skip_space(i)
  if i < #source then
    fail("the end of the text", i)
  end
  text = ""
  return value
end

return decode
