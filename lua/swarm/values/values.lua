-- JSON-like values: the copy with which they cross a worker's boundary.
--
-- A table is checked and copied in one fast walk that knows nothing of paths: it only says yes (the
-- copy) or no (nil). A no is rare and ends in an error, so a second, slow walk then takes its time
-- to find the first offence and to spell out where it is (swarm/values/faults.lua).
--
-- User code is never called: a table with a metatable of its own is refused before it is read, so
-- plain indexing is raw indexing here.

local errors = require "swarm.ground.errors"
local faults = require "swarm.values.faults"
local kinds = require "swarm.values.kinds"
local table_new = require "table.new"

local debug_getmetatable, getmetatable = debug.getmetatable, getmetatable
local next, setmetatable, type = next, setmetatable, type
local array_meta, object_meta, file_meta = kinds.array_meta, kinds.object_meta, kinds.file_meta
local null, kept, opaque_name = kinds.null, kinds.kept, kinds.opaque_name
local MAX_DEPTH, MAX_NODES = faults.MAX_DEPTH, faults.MAX_NODES

local values = {
  MAX_DEPTH = MAX_DEPTH,
  MAX_NODES = MAX_NODES,
  null = null,
  array = kinds.array,
  object = kinds.object,
  is_array = kinds.is_array,
  is_object = kinds.is_object,
  file = kinds.file,
  is_file = kinds.is_file,
  file_parts = kinds.file_parts,
  same_file = kinds.same_file,
  register_opaque = kinds.register_opaque,
  keep = kinds.keep,
  is_kept = kinds.is_kept,
  path = faults.path,
}

local nodes = 0
local copy_table

local function copy_item(value, depth)
  local kind = type(value)
  if kind == "table" then
    return copy_table(value, depth + 1)
  end
  if kind == "string" or kind == "boolean" then
    return value
  end
  if kind == "number" then
    -- Only NaN and the infinities differ from themselves this way.
    if value - value == 0 then
      return value
    end
  elseif kind == "userdata" then
    if value == null or opaque_name(value) then
      return value
    end
  end
  return nil
end

-- LuaJIT compiles a loop by itself, and nothing that has one in the middle: with a loop in the copy
-- nothing of a spawn and its join would be compiled in one piece. So the first FEW nodes of a value
-- are walked by goto, out of an inner block: within one and the same it takes that for a loop too.
local FEW = 16

local function count_of(t)
  local count, key = 0, next(t)
  ::following::
  if key ~= nil and nodes + count < FEW then
    count, key = count + 1, next(t, key)
    goto following
  end
  if key ~= nil then
    count = 0
    for _ in next, t do
      count = count + 1
    end
  end
  return count
end

---A list whose items come in order when it is walked, as they do where nothing was put into it
---backwards: one walk is enough. Nil for any other table, and where an item cannot be copied.
local function copy_list(t, length, depth)
  local copy, i = table_new(length, 0), 0
  for key, value in next, t do
    i = i + 1
    local item = key == i and copy_item(value, depth)
    if item == nil or key ~= i then
      return nil
    end
    copy[i] = item
  end
  return copy
end

local function copy_few_items(t, length, depth)
  local copy, i, key, value = table_new(length, 0), 1, next(t)
  ::following::
  if key ~= nil then
    local item = key == i and copy_item(value, depth)
    if item == nil or key ~= i then
      return nil
    end
    copy[i] = item
    i, key, value = i + 1, next(t, key)
    goto following
  end
  return copy
end

---Fields with their names. Nil where a key is no text, and where a field cannot be copied.
local function copy_fields(t, count, depth)
  local copy = table_new(0, count)
  for key, value in next, t do
    local item = type(key) == "string" and copy_item(value, depth)
    if item == nil or type(key) ~= "string" then
      return nil
    end
    copy[key] = item
  end
  return copy
end

local function copy_few_fields(t, count, depth)
  local copy, key, value = table_new(0, count), next(t)
  ::following::
  if key ~= nil then
    local item = type(key) == "string" and copy_item(value, depth)
    if item == nil or type(key) ~= "string" then
      return nil
    end
    copy[key] = item
    key, value = next(t, key)
    goto following
  end
  return copy
end

function copy_table(t, depth)
  local mark
  -- The global getmetatable is nil exactly when there is none: a protected one shows its mark.
  if getmetatable(t) ~= nil then
    mark = debug_getmetatable(t)
    if mark ~= array_meta and mark ~= object_meta and not kept[mark] then
      if mark == file_meta or opaque_name(t) then
        return t
      end
      return nil
    end
  end
  local copy
  local length = #t
  if length > 0 and (mark == nil or mark == array_meta) and next(t) == 1 then
    nodes = nodes + length + 1
    if depth > MAX_DEPTH or nodes > MAX_NODES then
      return nil
    end
    copy = (nodes <= FEW and copy_few_items or copy_list)(t, length, depth)
    if copy then
      return mark and setmetatable(copy, mark) or copy
    end
    nodes = nodes - length - 1
  end
  local count = count_of(t)
  nodes = nodes + count + 1
  if depth > MAX_DEPTH or nodes > MAX_NODES then
    return nil
  end

  if length > 0 then
    -- With as many keys as items, 1..length all present means there is no other key.
    if count ~= length or mark == object_meta then
      return nil
    end
    copy = table_new(length, 0)
    for i = 1, length do
      local item = copy_item(t[i], depth)
      if item == nil then
        return nil
      end
      copy[i] = item
    end
  else
    if count > 0 and mark == array_meta then
      return nil
    end
    copy = (nodes <= FEW and copy_few_fields or copy_fields)(t, count, depth)
    if copy == nil then
      return nil
    end
  end
  if mark then
    setmetatable(copy, mark)
    local told = kept[mark]
    if told then
      told(t, copy)
    end
  end
  return copy
end

---Checks a value and copies it if it is a table, so that later changes to it are nobody else's.
---@param value any
---@param root? string  the first word of an offence's path, such as "input"
---@return any
function values.copy(value, root)
  local kind = type(value)
  if kind == "string" or kind == "boolean" or value == nil then
    return value
  end
  nodes = 0
  local copy = copy_item(value, 0)
  if copy ~= nil then
    return copy
  end
  root = root or "value"
  faults.throw_first(value, root, false)
  return errors.throw("invalid_value", root .. " cannot be copied", { path = root })
end

---Throws at the first thing in a value that may not leave this VM, live objects included.
---@param value any
---@param root? string
---@param text_fault? fun(text: string): string?  says what is wrong with a string, as "is ..."
---@param but? table<string, boolean>  live objects that may all the same, by name
function values.outside(value, root, text_fault, but)
  faults.throw_first(value, root or "value", true, text_fault, but)
end

return values
