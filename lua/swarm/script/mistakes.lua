-- What is wrong with a definition, at the lines where it stands: an error knows the definition's
-- first line and the wrong field, and the script's own text says where that field is written. Where
-- the text leaves a doubt (a table from elsewhere, a field that is there twice, a definition under
-- another name) the first line has to do.
local chunks = require "swarm.sandbox.chunks"
local errors = require "swarm.ground.errors"
local byte, find, gmatch, gsub = string.byte, string.find, string.gmatch, string.gsub
local match, sub = string.match, string.sub
local concat, min, select, sort, tonumber = table.concat, math.min, select, table.sort, tonumber

local mistakes = {}

local MOST_TOLD = 8 -- mistakes of one definition
local DEFINERS = { worker = true, role = true, layer = true, command = true }

-- What opens and what closes a level, and what a field stands after.
local OPENS = { ["{"] = true, ["("] = true, ["["] = true, ["function"] = true, ["do"] = true }
OPENS["if"], OPENS["repeat"] = true, true
local CLOSES = { ["}"] = true, [")"] = true, ["]"] = true, ["end"] = true, ["until"] = true }
local VALUES = { ["true"] = true, ["false"] = true, ["nil"] = true, ["function"] = true }
VALUES["not"] = true
local BEFORE_A_FIELD = { ["{"] = true, [","] = true, [";"] = true }

---The end of a long bracket that opens at `at`, or nil where none does.
local function long_end(text, at)
  local level = match(text, "^%[(=*)%[", at)
  if level then
    local _, stop = find(text, "]" .. level .. "]", at, true)
    return stop or #text
  end
end

---The end of a string that opens at `at`.
local function string_end(text, at)
  local quote = sub(text, at, at)
  at = at + 1
  while at <= #text do
    local char = sub(text, at, at)
    if char == quote or char == "\n" then
      return at
    end
    at = at + (char == "\\" and 2 or 1)
  end
  return #text
end

---The next token from `at` on, comments passed over: its text ('"' for a string), where it begins
---and where it ends; nil at the end.
local function token(text, at)
  while true do
    at = find(text, "%S", at)
    if not at then
      return nil
    elseif sub(text, at, at + 1) ~= "--" then
      break
    end
    at = (long_end(text, at + 2) or (find(text, "\n", at, true) or #text)) + 1
  end
  local first = byte(text, at)
  local stop = long_end(text, at)
  if stop then
    return '"', at, stop
  elseif first == 34 or first == 39 then
    return '"', at, string_end(text, at)
  end
  local word = match(text, "^[%w_]+", at) or sub(text, at, at)
  return word, at, at + #word - 1
end

---The place behind the brace that opens the table of the definition in a line.
local function table_of(text, at)
  local line_end = find(text, "\n", at, true) or #text
  local found
  local word, from, stop, _ = token(text, at)
  while word and from <= line_end do
    if DEFINERS[word] and find(text, "^%s*[\"'(]", stop + 1) then
      if found then
        return nil -- two in one line
      end
      found = stop + 1
    end
    word, from, stop = token(text, stop + 1)
  end
  while found do
    word, _, stop = token(text, found)
    if word == "{" then
      return stop + 1
    elseif not word or not find(word, '^[%w_"(,.]') then
      return nil -- the table is written elsewhere
    end
    found = stop + 1
  end
end

---The name of a field that is written at a token, and where its value begins.
local function name_at(text, word, from)
  if word == "[" then
    return match(text, "^%[%s*[\"']([%w_]+)[\"']%s*%]%s*=()", from)
  end
  local name, after = match(text, "^([%a_][%w_]*)%s*=()", from)
  if name and sub(text, after, after) ~= "=" then
    return name, after
  end
end

---Where one field or item of a table is written, and where its value begins; nil where it is not
---there, or more than once.
---@param at integer behind the table's brace
---@param key string|number
local function entry(text, at, key)
  local depth, before, item, found, value = 1, "{", 1, nil, nil
  local word, from, stop = token(text, at)
  while word do
    local next_from = stop + 1
    if depth == 1 and BEFORE_A_FIELD[before] and word ~= "}" then
      local name, after = name_at(text, word, from)
      if (name or item) == key then
        if found then
          return nil
        end
        found, value = from, after or from
      end
      if not name then
        item = item + 1
      end
      next_from = after or next_from
    end
    if next_from == stop + 1 then
      depth = depth + (OPENS[word] and 1 or CLOSES[word] and -1 or 0)
      if depth == 0 then
        return found, value
      end
      before = word
    else
      before = "="
    end
    word, from, stop = token(text, next_from)
  end
end

---The place of a field as file:line, or nil where the text does not tell.
---@param where string the definition's
---@param field string such as "timeout", "env.KEY" or "command[2]"
---@return string? where
---@return integer? column of bytes, from 1
---@return boolean? elsewhere what is meant does not stand there: a name does, or a call
function mistakes.locate(where, field)
  local path, number = match(where, "^(.*):(%d+)$")
  local text = path and chunks.texts[path]
  if not text then
    return nil
  end
  local at = 1
  for _ = 2, tonumber(number) do
    at = (find(text, "\n", at, true) or #text) + 1
  end
  local inside, found, elsewhere = table_of(text, at), nil, false
  for name in gmatch(gsub(field, "%[(%d+)%]", ".%1"), "[^.]+") do
    local from, value
    if inside then
      from, value = entry(text, inside, tonumber(name) or name)
    end
    if not from then
      break
    end
    found = from
    local word, _, stop = token(text, value)
    inside = word == "{" and stop + 1 or nil
    elsewhere = word ~= nil and find(word, "^[%a_]") ~= nil and not VALUES[word]
  end
  if found then
    local before = sub(text, 1, found - 1)
    return path .. ":" .. select(2, gsub(before, "\n", "")) + 1,
      #match(before, "[^\n]*$") + 1,
      elsewhere
  end
end

local function line_of(mistake)
  return tonumber(match(mistake.where or "", ":(%d+)$")) or 0
end

---The mistakes that an error tells of, each at its own line, in their order.
---@param err table what a definition raised
---@param where string? of the definition
---@return table[]
---@return table elsewhere those of values that stand elsewhere → true
function mistakes.located(err, where)
  local list, elsewhere = err.mistakes or { err }, {}
  for i = 1, #list do
    local one = list[i]
    local place = where or one.where
    if place and one.field then
      local found, column, is_elsewhere = mistakes.locate(place, one.field)
      one.where, one.column, elsewhere[one] = found or one.where, column, is_elsewhere
    end
  end
  sort(list, function(a, b)
    local x, y = line_of(a), line_of(b)
    return x < y or x == y and a.message < b.message
  end)
  return list, elsewhere
end

---What a definition's error becomes for its author: each mistake at its own line, and all of them
---in one message.
---@param err any what the definition raised
---@param where string? of the definition
---@return any
function mistakes.told(err, where)
  if not errors.is(err) or err.code ~= "load_error" then
    return err
  end
  local list = mistakes.located(err, where)
  local first, lines = list[1], {}
  for i = 2, min(#list, MOST_TOLD) do
    lines[i] = errors.headline(list[i])
  end
  lines[1] = first.message
  if #list > MOST_TOLD then
    lines[#lines + 1] = "and " .. #list - MOST_TOLD .. " more"
  end
  first.message, first.mistakes = concat(lines, "\n"), nil
  return first
end

return mistakes
