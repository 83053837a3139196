-- Why a value may not cross, and where in it that is: `input.items[2].name`. The slow walk, taken
-- only when a value has been refused: it remembers its way and finds the first offence.

local errors = require "swarm.ground.errors"
local kinds = require "swarm.values.kinds"
local shown = require "swarm.ground.shown"

local debug_getmetatable, next, type = debug.getmetatable, next, type
local find, format = string.find, string.format
local floor, huge = math.floor, math.huge
local concat, sort = table.concat, table.sort
local array_meta, object_meta, file_meta = kinds.array_meta, kinds.object_meta, kinds.file_meta
local step = shown.step
local null, kept, opaque_name = kinds.null, kinds.kept, kinds.opaque_name

local faults = {
  MAX_DEPTH = 100,
  MAX_NODES = 10000000,
}

local MAX_DEPTH, MAX_NODES = faults.MAX_DEPTH, faults.MAX_NODES

---@class swarm.value_faults.Walk
---@field path string[]  the steps that lead to the value under inspection
---@field inside table<table, integer>  the tables on the path, and how many steps lead to each
---@field nodes integer
---@field leaving boolean  whether the value leaves the VM, where its live objects mean nothing
---@field but? table<string, boolean>  live objects that may go all the same, by name
---@field text_fault? fun(text: string): string?

local function throw_at(path, message, ...)
  local place = concat(path)
  errors.throw("invalid_value", place .. " " .. format(message, ...), { path = place })
end

-- The sorted names of an object, or nil and the length of a list; throws if it is neither.
local function shape(t, mark, path)
  local names, items = {}, 0
  for key in next, t do
    local kind = type(key)
    if kind == "string" then
      names[#names + 1] = key
    elseif kind == "number" and key >= 1 and key < huge and floor(key) == key then
      items = items + 1
    else
      local got = kind == "number" and format("%.14g", key) or "of type " .. kind
      throw_at(path, "has the key %s; keys are strings, or 1, 2, 3 and so on in a list", got)
    end
  end
  sort(names)
  if items == 0 then
    if mark == array_meta and names[1] then
      throw_at(path, "is marked as an array but has the key %s", shown.key(names[1]))
    end
    return names
  elseif names[1] then
    throw_at(path, "has both list items and named keys, such as %s", shown.key(names[1]))
  elseif mark == object_meta then
    throw_at(path, "is marked as an object but has list items")
  end
  for i = 1, items do
    if t[i] == nil then
      throw_at(path, "is a list with a hole at [%d]; put swarm.null in an empty place", i)
    end
  end
  return nil, items
end

local inspect

local function inspect_text(walk, text, of)
  local fault = walk.text_fault and walk.text_fault(text)
  if fault then
    throw_at(walk.path, "%s%s", of or "", fault)
  end
end

local function inspect_table(walk, t, mark)
  local path, inside = walk.path, walk.inside
  local depth = #path
  if inside[t] then
    throw_at(path, "is a cycle: it contains itself (%s)", concat(path, "", 1, inside[t]))
  elseif depth > MAX_DEPTH then
    throw_at(path, "is nested more than %d levels deep", MAX_DEPTH)
  end
  local names, length = shape(t, mark, path)
  walk.nodes = walk.nodes + (length or #names) + 1
  if walk.nodes > MAX_NODES then
    local message = "holds more than %d values (a table met twice counts twice)"
    throw_at({ path[1] }, message, MAX_NODES)
  end
  inside[t] = depth
  for i = 1, length or #names do
    local key = names and names[i] or i
    -- Before the key is on the path: a message must not show text that is not UTF-8.
    if names then
      inspect_text(walk, key, "has a key that ")
    end
    path[depth + 1] = step(key)
    inspect(walk, t[key])
    path[depth + 1] = nil
  end
  inside[t] = nil
end

function inspect(walk, value)
  local kind = type(value)
  local what, where = "a " .. kind, "cross a worker's boundary"
  if kind == "nil" or kind == "boolean" or value == null then
    return
  elseif kind == "number" then
    if value - value == 0 then
      return
    end
    what = value == value and "an infinite number" or "NaN (not a number)"
  elseif kind == "string" then
    return inspect_text(walk, value)
  elseif kind == "table" or kind == "userdata" then
    local mark = debug_getmetatable(value)
    if kind == "table" then
      if mark == nil or mark == array_meta or mark == object_meta or kept[mark] then
        return inspect_table(walk, value, mark)
      elseif mark == file_meta then
        local file_path, mime = kinds.file_parts(value)
        inspect_text(walk, file_path, "is a file whose path ")
        return inspect_text(walk, mime or "", "is a file whose mime type ")
      end
      what = "a table with a metatable"
    end
    local name = opaque_name(value)
    if name then
      if not walk.leaving or (walk.but and walk.but[name]) then
        return
      end
      what, where = (find(name, "^[aeiou]") and "an " or "a ") .. name, "leave this program"
    end
  elseif kind == "thread" then
    what = "a coroutine"
  end
  throw_at(walk.path, "is %s, which cannot %s", what, where)
end

---Throws at the first thing in a value that keeps it from crossing; returns where there is none.
---@param value any
---@param root string  the first word of an offence's path, such as "input"
---@param leaving boolean  whether the value leaves the VM
---@param text_fault? fun(text: string): string?  says what is wrong with a string, as "is ..."
---@param but? table<string, boolean>  live objects that may leave all the same, by name
function faults.throw_first(value, root, leaving, text_fault, but)
  inspect({
    path = { root },
    inside = {},
    nodes = 0,
    leaving = leaving,
    text_fault = text_fault,
    but = but,
  }, value)
end

---Spells out a place in a value: input.items[2].name.
---@param root string
---@param steps (string|integer)[] keys of objects, and places in lists counted from 0
---@return string
function faults.path(root, steps)
  local path = { root }
  for i = 1, #steps do
    local key = steps[i]
    path[i + 1] = step(type(key) == "number" and key + 1 or key)
  end
  return concat(path)
end

return faults
