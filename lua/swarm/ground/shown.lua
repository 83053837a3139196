-- How a value, a text, a key and a way to a place look in a message: on one line, and never long.
local byte, find, format = string.byte, string.find, string.format
local gsub, sub = string.gsub, string.sub
local pcall, tostring, type = pcall, tostring, type

local shown = {}

local MAX_TEXT = 40 -- bytes of a text that stands in a sentence
local MAX_KEY = 60 -- of a key in a path
local MAX_WHOLE = 2 ^ 53 -- of whole numbers

---How a message shows a value that is not what was expected.
---@return string
function shown.value(value)
  local kind = type(value)
  if kind == "string" then
    local text = #value > MAX_TEXT and sub(value, 1, MAX_TEXT) .. "..." or value
    return '"' .. text .. '"'
  elseif kind == "nil" then
    return "nil"
  elseif kind == "number" or kind == "boolean" then
    return tostring(value)
  end
  return "a " .. kind
end

---Any value as text. What a script raised may hold anything, and its __tostring may do anything.
---@return string
function shown.text(value)
  if type(value) == "string" then
    return value
  end
  local ok, text = pcall(tostring, value)
  return ok and type(text) == "string" and text or "a " .. type(value)
end

---The same for a field of an error, without a call: while a worker settles no code of the author's
---may run, and a script may put anything into an error at any time.
---@return string
function shown.field(value)
  local kind = type(value)
  if kind == "string" then
    return value
  elseif kind == "number" or kind == "boolean" or kind == "nil" then
    return tostring(value)
  end
  return "a " .. kind
end

local function escaped(char)
  return char == "\n" and "\\n" or char == "\t" and "\\t" or format("\\%03d", byte(char))
end

---A text in quotes, on one line.
---@return string
function shown.quoted(text)
  return '"' .. gsub(gsub(text, '[\\"]', "\\%0"), "%c", escaped) .. '"'
end

---A key that is a text, in quotes.
---@param most integer? bytes of it
---@return string
function shown.key(key, most)
  most = most or MAX_KEY
  if #key > most then
    -- Not inside a UTF-8 sequence.
    while most > 0 and find(key, "^[\128-\191]", most + 1) do
      most = most - 1
    end
    key = sub(key, 1, most) .. "..."
  end
  return shown.quoted(key)
end

---What leads from a table to one of its items, such as `.name` or `[2]`.
---@param most integer? bytes of a key
---@return string
function shown.step(key, most)
  if type(key) == "string" then
    local is_name = #key <= (most or MAX_KEY) and find(key, "^[%a_][%w_]*$")
    return is_name and "." .. key or "[" .. shown.key(key, most) .. "]"
  elseif type(key) == "number" and key % 1 == 0 and key < MAX_WHOLE and key > -MAX_WHOLE then
    return format("[%d]", key)
  end
  return "[" .. shown.text(key) .. "]"
end

return shown
