-- Which of many a task is: the label that its spawn or its definition gives it, else its input in
-- short. Nothing of it is made before somebody reads it. It is read while workers settle, so no
-- code of an author's runs here, whatever a worker has made of its input by then.
local kinds = require "swarm.values.kinds"
local masked = require "swarm.values.masked"
local shown = require "swarm.ground.shown"
local byte, find, format, gmatch = string.byte, string.find, string.format, string.gmatch
local gsub, sub = string.gsub, string.sub
local concat, sort = table.concat, table.sort
local debug_getmetatable = debug.getmetatable
local next, rawequal, rawget = next, rawequal, rawget
local tonumber, tostring, type = tonumber, tostring, type

local label = {}

local SHORT = 40 -- characters of an input
local LONG = 200 -- of a label: what it is filled with may be of any length
local WIDEST = 4 -- bytes of a character
local MOST_KEYS = 200 -- of one table that are looked at: more have no room

-- Text of a bounded length ------------------------------------------------------------------------

---A text without secrets, as far as it can be of use.
local function clean(text, most)
  if masked.any() then
    text = masked.text(text)
  end
  return sub(text, 1, most)
end

-- Labels are made at every end that is no pass. A pattern keeps whatever leads there from being
-- compiled, so texts that need none are told by their bytes.

---Whether a text has no control characters, and no two blanks side by side.
local function is_smooth(text)
  local before
  for i = 1, #text do
    local b = byte(text, i)
    if b < 32 or b == 127 or (b == 32 and before == 32) then
      return false
    end
    before = b
  end
  return true
end

---Whether a text stands between quotes as it is.
local function is_bare(text)
  for i = 1, #text do
    local b = byte(text, i)
    if b < 32 or b == 127 or b == 34 or b == 92 then
      return false
    end
  end
  return true
end

---A text on one line, cut to so many characters.
local function one_line(text, most)
  local bytes = most * WIDEST
  local is_cut = #text > bytes
  text = is_cut and sub(text, 1, bytes) or text
  if not is_smooth(text) then
    text = gsub(text, "[%s%c]+", " ")
  end
  if #text <= most and not is_cut then
    return text
  end
  local count, kept = 0, #text
  for i = 1, #text do
    local b = byte(text, i)
    if b < 0x80 or b >= 0xC0 then
      count = count + 1
      if count == most - 2 then
        kept = i - 1 -- before the character that the dots stand for
      end
    end
  end
  return (count > most or is_cut) and sub(text, 1, kept) .. "..." or text
end

local function quoted(text)
  return is_bare(text) and '"' .. text .. '"' or shown.quoted(text)
end

local function put(out, text)
  out[#out + 1] = text
  out.left = out.left - #text
end

local function by_text(a, b)
  return tostring(a) < tostring(b)
end

local write

local function write_fields(out, value)
  local keys, looked, more = {}, 0, false
  for key in next, value do
    looked = looked + 1
    if looked > MOST_KEYS then
      more = true
      break
    end
    local kind = type(key)
    if kind == "string" or kind == "number" then
      keys[#keys + 1] = key
    end
  end
  if keys[2] then
    sort(keys, by_text)
  end
  put(out, "{")
  for i = 1, #keys do
    if out.left < 0 then
      return
    end
    local key = keys[i]
    put(out, (i > 1 and "," or "") .. quoted(clean(tostring(key), out.left + 1)) .. ":")
    write(out, rawget(value, key), key)
  end
  put(out, more and "...}" or "}")
end

local function write_list(out, value)
  put(out, "[")
  for i = 1, #value do
    if out.left < 0 then
      return
    elseif i > 1 then
      put(out, ",")
    end
    write(out, rawget(value, i))
  end
  put(out, "]")
end

---What stands for an object of the host's, where a value is one.
local function object_of(value)
  local mt = debug_getmetatable(value)
  if mt == nil then
    return nil
  end
  if kinds.is_file(value) then
    return (kinds.file_parts(value))
  end
  local name = kinds.opaque_name(value)
  if name == "worker handle" then
    return "T-" .. mt.id -- a handle's metatable is its task
  end
  return name
end

---Writes a value as JSON spells it, until there is no room left.
---@param out table pieces; `left`: bytes
---@param key any the one that it stands under
function write(out, value, key)
  local kind = type(value)
  if rawequal(value, kinds.null) then
    return put(out, "null")
  elseif kind == "string" then
    local text = masked.is_field(key) and masked.MASK or clean(value, out.left + 1)
    return put(out, quoted(text))
  elseif kind == "number" then
    return put(out, format("%.14g", value))
  elseif kind ~= "table" then
    return put(out, kind == "boolean" and tostring(value) or kind)
  elseif masked.is_field(key) then
    return put(out, quoted(masked.MASK))
  end
  local object = object_of(value)
  if object then
    return put(out, quoted(clean(object, out.left + 1)))
  elseif #value > 0 or kinds.is_array(value) then
    return write_list(out, value)
  end
  return write_fields(out, value)
end

---A value as text: a string as it is, anything else as JSON; nil for nil.
---@param most integer characters that are of use
local function text_of(value, most, key)
  if value == nil then
    return nil
  elseif type(value) == "string" then
    return masked.is_field(key) and masked.MASK or clean(value, most * WIDEST + 1)
  end
  local object = type(value) == "table" and object_of(value)
  if object then
    return clean(object, most * WIDEST + 1)
  end
  local out = { left = most * WIDEST }
  write(out, value, key)
  return concat(out)
end

-- Placeholders ------------------------------------------------------------------------------------

local function part_of(input, form)
  local value, last = input, nil
  for key in gmatch(sub(form, 7), "[^%.]+") do
    if type(value) ~= "table" or object_of(value) then
      return nil
    end
    local item = rawget(value, key)
    if item == nil and tonumber(key) then
      item = rawget(value, tonumber(key))
    end
    value, last = item, key
  end
  if rawequal(value, kinds.null) then
    return nil
  end
  return text_of(value, LONG, last)
end

local forms = {}

function forms.prompt(task)
  local input = task.input
  local own = type(input) == "table" and not object_of(input) and rawget(input, "prompt")
  return text_of(type(own) == "string" and own or input, LONG)
end

function forms.input(task)
  local input = task.input
  if type(input) == "string" then
    return quoted(clean(input, LONG * WIDEST))
  end
  return text_of(input, LONG)
end

function forms.name(task)
  return task.def.name
end

function forms.task_id(task)
  return "T-" .. task.id
end

function forms.attempt(task)
  local retries = task.extra and task.extra.retries
  return tostring(retries and retries.number or 1)
end

---@param pieces table of template.parse: strings, and { form } for each placeholder
local function filled(pieces, task)
  local parts = {}
  for i = 1, #pieces do
    local piece = pieces[i]
    if type(piece) == "table" then
      local form = piece[1]
      local read = forms[form]
      if read then
        piece = read(task)
      else
        piece = find(form, "^input%.") and part_of(task.input, form)
      end
      piece = piece or "?"
    end
    parts[i] = piece
  end
  return concat(parts)
end

-- Labels ------------------------------------------------------------------------------------------

---The label that a task was given; nil: none, false: it is to have none.
local function given(task)
  local own = task.extra and task.extra.label
  if own == nil then
    own = task.def.label
  end
  return own
end

---A task's input in short; nil where it has none, or it must not be seen: so says whoever said
---`false`, whatever label there is besides.
---@return string?
function label.input_of(task)
  local input, extra = task.input, task.extra
  if input == nil or task.def.label == false or (extra and extra.label == false) then
    return nil
  end
  local text = one_line(text_of(input, SHORT), SHORT)
  return text ~= "" and text ~= " " and text or nil
end

---The label that somebody gave a task: its own, its key, or its number among those of a map.
---@return string? nil: none
---@return boolean? numbered it is such a number
function label.own(task)
  local own = given(task)
  if own then
    local text = type(own) == "table" and filled(own, task) or clean(own, LONG * WIDEST + 1)
    return one_line(text, LONG)
  end
  local key = own == nil and task.extra and task.extra.key
  if key then
    return one_line(clean(key, LONG * WIDEST + 1), LONG)
  end
  local item = own == nil and task.extra and task.extra.item
  if item then
    return "#" .. item, true
  end
end

---What stands beside a task's name; nil for nothing.
---@return string?
function label.of(task)
  local text, numbered = label.own(task)
  if text and not numbered then
    return text
  end
  local short = label.input_of(task)
  return text and text .. (short and " " .. short or "") or short
end

return label
