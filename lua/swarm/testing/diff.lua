-- Whether two values are the same, and where they differ: place by place, bounded however big they
-- are, so that a reader sees the difference and not the values.
local arguments = require "swarm.ground.arguments"
local errors = require "swarm.ground.errors"
local show = require "swarm.testing.show"
local shown = require "swarm.ground.shown"
local values = require "swarm.values.values"
local next, type, tostring, rawequal, rawget = next, type, tostring, rawequal, rawget
local byte, find, format, sub = string.byte, string.find, string.format, string.sub
local concat, min, max = table.concat, math.min, math.max
local is_opaque, on_one_line, quoted = show.is_opaque, show.on_one_line, shown.quoted
local sorted_keys, step, in_lines = show.sorted_keys, show.step, show.in_lines
local TEXT_SHOWN, SHORT = show.TEXT_SHOWN, show.SHORT

local diff = {}

local PLACES = 10 -- differences told one by one
local COUNTED = 1000 -- differences looked for at all
local LINES_SHOWN = 8 -- of the part of a text that differs, on either side
local BEFORE, AFTER = 20, 40 -- bytes of a long string around where it begins to differ
local MAX_DEPTH = 500 -- tables within tables that are compared

-- Comparing ---------------------------------------------------------------------------------------

---@param pairs_met table a → b → true: pairs that are being compared further out
local function same(a, b, pairs_met, depth)
  if rawequal(a, b) or a == b then
    return true
  elseif type(a) ~= "table" or type(b) ~= "table" then
    return false
  elseif is_opaque(a) or is_opaque(b) then
    return values.is_file(a) and values.is_file(b) and values.same_file(a, b)
  elseif depth > MAX_DEPTH then
    local problem = "the values are more than "
      .. MAX_DEPTH
      .. " tables deep: compare parts of them"
    return errors.throw("invalid_argument", problem)
  end
  local met = pairs_met[a]
  if not met then
    met = {}
    pairs_met[a] = met
  elseif met[b] then
    return true -- a cycle: what decides is compared elsewhere
  end
  met[b] = true
  for key, value in next, a do
    local other = rawget(b, key)
    if other == nil or not same(value, other, pairs_met, depth + 1) then
      met[b] = nil
      return false
    end
  end
  for key in next, b do
    if rawget(a, key) == nil then
      met[b] = nil
      return false
    end
  end
  return true
end

---Whether two values are equal, tables by what they hold.
---@return boolean
function diff.same(a, b)
  return same(a, b, {}, 0)
end

-- Texts -------------------------------------------------------------------------------------------

local function first_difference(a, b)
  local n = min(#a, #b)
  for i = 1, n do
    if byte(a, i) ~= byte(b, i) then
      return i
    end
  end
  return n + 1
end

local function excerpt(text, at)
  local from, to = max(1, at - BEFORE), min(#text, at + AFTER)
  return (from > 1 and "..." or "") .. quoted(sub(text, from, to)) .. (to < #text and "..." or "")
end

local function lines_of(text)
  local lines = {}
  for line in string.gmatch(text .. "\n", "([^\n]*)\n") do
    lines[#lines + 1] = line
  end
  return lines
end

local function put_lines(out, lines, from, to, sign)
  for i = from, min(to, from + LINES_SHOWN - 1) do
    local line = lines[i]
    out[#out + 1] = sign .. (#line > TEXT_SHOWN and sub(line, 1, TEXT_SHOWN) .. "..." or line)
  end
  local left = to - from + 1 - LINES_SHOWN
  if left > 0 then
    out[#out + 1] = sign .. "... " .. left .. " more lines"
  end
end

---The lines that differ, with one before and one after.
local function text_lines(wanted, actual)
  local a, b = lines_of(wanted), lines_of(actual)
  local first = 1
  while a[first] and a[first] == b[first] do
    first = first + 1
  end
  local last_a, last_b = #a, #b
  while last_a >= first and last_b >= first and a[last_a] == b[last_b] do
    last_a, last_b = last_a - 1, last_b - 1
  end
  local out = { "the texts differ from line " .. first .. " on" }
  if first > 1 then
    put_lines(out, a, first - 1, first - 1, "  ")
  end
  put_lines(out, a, first, last_a, "- ")
  put_lines(out, b, first, last_b, "+ ")
  if a[last_a + 1] then
    put_lines(out, a, last_a + 1, last_a + 1, "  ")
  end
  return out
end

---Where two strings differ, as lines, or nil where they are short enough to be shown whole.
local function strings(wanted, actual)
  if find(wanted, "\n", 1, true) or find(actual, "\n", 1, true) then
    return text_lines(wanted, actual)
  elseif max(#wanted, #actual) <= SHORT then
    return nil
  end
  local at = first_difference(wanted, actual)
  return {
    format("the strings (%d and %d bytes) differ at byte %d", #wanted, #actual, at),
    "- " .. excerpt(wanted, at),
    "+ " .. excerpt(actual, at),
  }
end

-- Differences -------------------------------------------------------------------------------------

local function put(out, ...)
  out.count = out.count + 1
  if out.count > PLACES then
    return
  end
  for i = 1, select("#", ...) do
    out[#out + 1] = "  " .. select(i, ...)
  end
end

local function put_one(out, path, what, sign, value)
  local short = on_one_line(value)
  if short then
    return put(out, path .. ": " .. what .. " " .. short)
  end
  return put(out, path .. ": " .. what, "  " .. sign .. " " .. in_lines(value, "      "))
end

local function put_leaf(out, path, wanted, actual)
  if wanted == nil then
    return put_one(out, path, "unexpected, got", "+", actual)
  elseif actual == nil then
    return put_one(out, path, "missing, expected", "-", wanted)
  end
  local lines = type(wanted) == "string" and type(actual) == "string" and strings(wanted, actual)
  if lines then
    for i = 2, #lines do
      lines[i] = "  " .. lines[i]
    end
    lines[1] = path .. ": " .. lines[1]
    return put(out, unpack(lines))
  end
  local a, b = on_one_line(wanted), on_one_line(actual)
  if a and b then
    return put(out, path .. ": expected " .. a .. ", got " .. b)
  end
  local minus, plus = "  - " .. in_lines(wanted, "      "), "  + " .. in_lines(actual, "      ")
  return put(out, path .. ":", minus, plus)
end

---Two lists of which one has items more: what was put in or left out, where that is all.
---@return boolean told
local function put_inserted(out, path, wanted, actual)
  local a, b = arguments.length(wanted), arguments.length(actual)
  if not a or not b or a == b then
    return false
  end
  local first = 1
  while first <= min(a, b) and diff.same(wanted[first], actual[first]) do
    first = first + 1
  end
  local tail = 0
  while tail < min(a, b) - first + 1 and diff.same(wanted[a - tail], actual[b - tail]) do
    tail = tail + 1
  end
  if first + tail <= min(a, b) then
    return false
  end
  for i = first, max(a, b) - tail do
    if out.count >= COUNTED then
      break
    end
    local at = path .. "[" .. i .. "]"
    if a > b then
      put_one(out, at, "missing, expected", "-", wanted[i])
    else
      put_one(out, at, "unexpected, got", "+", actual[i])
    end
  end
  return true
end

local function walk(out, path, wanted, actual, met)
  local plain = type(wanted) == "table"
    and type(actual) == "table"
    and not is_opaque(wanted)
    and not is_opaque(actual)
  if not plain then
    return put_leaf(out, path == "" and "the value" or path, wanted, actual)
  elseif met[wanted] == actual or put_inserted(out, path, wanted, actual) then
    return
  end
  met[wanted] = actual
  local keys = sorted_keys(wanted, actual)
  for i = 1, #keys do
    local key = keys[i]
    local a, b = rawget(wanted, key), rawget(actual, key)
    if out.count >= COUNTED then
      return
    elseif a == nil or b == nil then
      put_leaf(out, path .. step(key), a, b)
    elseif not diff.same(a, b) then
      walk(out, path .. step(key), a, b, met)
    end
  end
end

---Where two values differ, as lines.
---@return string
function diff.places(wanted, actual)
  local out = { count = 0 }
  walk(out, "", wanted, actual, {})
  local count = out.count
  if count > PLACES then
    local left = count >= COUNTED and "many" or tostring(count - PLACES)
    out[#out + 1] = "  and " .. left .. " more places"
  end
  return concat(out, "\n")
end

---The difference of two values that are not equal, where showing both whole would not help.
---@return string? lines
function diff.of_strings(wanted, actual)
  if type(wanted) ~= "string" or type(actual) ~= "string" then
    return nil
  end
  local lines = strings(wanted, actual)
  return lines and concat(lines, "\n  ")
end

return diff
