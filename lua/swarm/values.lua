-- JSON-like values, and the walk that lets them cross a worker's boundary.
--
-- A table is checked and copied in one fast walk that knows nothing of paths: it only says yes (the
-- copy) or no (nil). A no is rare and ends in an error, so a second, slow walk then takes its time
-- to find the first offence and to spell out where it is.
--
-- User code is never called: a table with a metatable of its own is refused before it is read, so
-- plain indexing is raw indexing here.

local errors = require "swarm.errors"
local table_new = require "table.new"

local debug_getmetatable, getmetatable = debug.getmetatable, getmetatable
local newproxy, next, setmetatable, type = newproxy, next, setmetatable, type
local byte, find, format = string.byte, string.find, string.format
local gsub, sub = string.gsub, string.sub
local floor, huge = math.floor, math.huge
local concat, sort = table.concat, table.sort

local values = {}

values.MAX_DEPTH = 100
values.MAX_NODES = 10000000

local MAX_DEPTH, MAX_NODES = values.MAX_DEPTH, values.MAX_NODES
local MAX_KEY_SHOWN = 60

local array_meta = { __metatable = "swarm.array" }
local object_meta = { __metatable = "swarm.object" }
local file_meta = { __metatable = "swarm.file" }

local null = newproxy(true)
do
  local meta = debug_getmetatable(null)
  meta.__metatable = "swarm.null"
  meta.__tostring = function()
    return "null"
  end
end
values.null = null

-- A file's fields live here and not in its table, so that not even rawset reaches them.
local files = setmetatable({}, { __mode = "k" })

file_meta.__index = function(file, field)
  return files[file][field]
end
file_meta.__newindex = function()
  errors.throw("invalid_value", "a swarm.file cannot be changed; make a new one")
end
file_meta.__tostring = function(file)
  return "swarm.file: " .. files[file].path
end

local function marker(name, meta)
  return function(t)
    if t == nil then
      t = {}
    end
    if type(t) ~= "table" then
      errors.throw("invalid_value", format("swarm.%s takes a table, not a %s", name, type(t)))
    end
    local old = debug_getmetatable(t)
    if old == meta then
      return t
    end
    if old ~= nil then
      local message = format("swarm.%s cannot mark a table that has another metatable", name)
      errors.throw("invalid_value", message)
    end
    return setmetatable(t, meta)
  end
end

---Marks a table (a new one by default) as an array and returns it.
---@type fun(t?: table): table
values.array = marker("array", array_meta)

---Marks a table (a new one by default) as an object and returns it.
---@type fun(t?: table): table
values.object = marker("object", object_meta)

---Whether the value carries the array mark; a plain list does not.
---@param value any
---@return boolean
function values.is_array(value)
  return type(value) == "table" and debug_getmetatable(value) == array_meta
end

---Whether the value carries the object mark; a plain table does not.
---@param value any
---@return boolean
function values.is_object(value)
  return type(value) == "table" and debug_getmetatable(value) == object_meta
end

---A value that stands for a file's content.
---@param path string
---@param mime? string
---@return table file  immutable, with the fields `path` and `mime`
function values.file(path, mime)
  if type(path) ~= "string" or path == "" then
    errors.throw("invalid_value", "swarm.file takes a path as its first argument")
  elseif mime ~= nil and type(mime) ~= "string" then
    errors.throw("invalid_value", "swarm.file takes a mime type as its second argument")
  end
  local file = setmetatable({}, file_meta)
  files[file] = { path = path, mime = mime }
  return file
end

---@param value any
---@return boolean
function values.is_file(value)
  return type(value) == "table" and debug_getmetatable(value) == file_meta
end

---The true fields of a file, whatever user code did to the table with rawset.
---@param file table
---@return string path
---@return string? mime
function values.file_parts(file)
  local parts = files[file]
  return parts.path, parts.mime
end

local opaque_kinds, opaque_count = {}, 0

---Adds a test that names the live objects of the VM, which cross inside it by reference.
---@param name_of fun(value: table|userdata): string?  such as "worker handle", or nil
function values.register_opaque(name_of)
  opaque_count = opaque_count + 1
  opaque_kinds[opaque_count] = name_of
end

local function opaque_name(value)
  for i = 1, opaque_count do
    local name = opaque_kinds[i](value)
    if name then
      return name
    end
  end
  return nil
end

local kept = {}

---Lets tables with a metatable of the host's own cross as objects, and keeps it on their copies.
---Its __index, the only thing in it that a walk may meet, must put up with any key.
---@param meta table
function values.keep(meta)
  kept[meta] = true
end

---Whether a table has such a metatable.
---@param value table
---@return boolean
function values.is_kept(value)
  return kept[debug_getmetatable(value)] == true
end

-- The fast walk -----------------------------------------------------------------------------------

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
  local count = 0
  for _ in next, t do
    count = count + 1
  end
  nodes = nodes + count + 1
  if depth > MAX_DEPTH or nodes > MAX_NODES then
    return nil
  end

  local copy
  local length = #t
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
    copy = table_new(0, count)
    for key, value in next, t do
      if type(key) ~= "string" then
        return nil
      end
      local item = copy_item(value, depth)
      if item == nil then
        return nil
      end
      copy[key] = item
    end
  end
  if mark then
    setmetatable(copy, mark)
  end
  return copy
end

-- The slow walk -----------------------------------------------------------------------------------

---@class swarm.values.Walk
---@field path string[]  the steps that lead to the value under inspection
---@field inside table<table, integer>  the tables on the path, and how many steps lead to each
---@field nodes integer
---@field leaving boolean  whether the value leaves the VM, where its live objects mean nothing
---@field text_fault? fun(text: string): string?

local function throw_at(path, message, ...)
  local shown = concat(path)
  errors.throw("invalid_value", shown .. " " .. format(message, ...), { path = shown })
end

local function show_key(key)
  if #key > MAX_KEY_SHOWN then
    local last = MAX_KEY_SHOWN
    -- Not inside a UTF-8 sequence.
    while last > 0 and find(key, "^[\128-\191]", last + 1) do
      last = last - 1
    end
    key = sub(key, 1, last) .. "..."
  end
  key = gsub(key, '["\\]', "\\%0")
  return '"' .. gsub(key, "%c", function(c)
    return format("\\%03d", byte(c))
  end) .. '"'
end

local function step(key)
  if type(key) == "number" then
    return format("[%d]", key)
  end
  if #key <= MAX_KEY_SHOWN and find(key, "^[%a_][%w_]*$") then
    return "." .. key
  end
  return "[" .. show_key(key) .. "]"
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
      local shown = kind == "number" and format("%.14g", key) or "of type " .. kind
      throw_at(path, "has the key %s; keys are strings, or 1, 2, 3 and so on in a list", shown)
    end
  end
  sort(names)
  if items == 0 then
    if mark == array_meta and names[1] then
      throw_at(path, "is marked as an array but has the key %s", show_key(names[1]))
    end
    return names
  elseif names[1] then
    throw_at(path, "has both list items and named keys, such as %s", show_key(names[1]))
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

---Spells out a place in a value: input.items[2].name.
---@param root string
---@param steps (string|integer)[] keys of objects, and places in lists counted from 0
---@return string
function values.path(root, steps)
  local path = { root }
  for i = 1, #steps do
    local key = steps[i]
    path[i + 1] = step(type(key) == "number" and key + 1 or key)
  end
  return concat(path)
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
        local file_path, mime = values.file_parts(value)
        inspect_text(walk, file_path, "is a file whose path ")
        return inspect_text(walk, mime or "", "is a file whose mime type ")
      end
      what = "a table with a metatable"
    end
    local name = opaque_name(value)
    if name then
      if not walk.leaving then
        return
      end
      what, where = (find(name, "^[aeiou]") and "an " or "a ") .. name, "leave this program"
    end
  elseif kind == "thread" then
    what = "a coroutine"
  end
  throw_at(walk.path, "is %s, which cannot %s", what, where)
end

local function inspect_root(value, root, leaving, text_fault)
  inspect({
    path = { root or "value" },
    inside = {},
    nodes = 0,
    leaving = leaving,
    text_fault = text_fault,
  }, value)
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
  inspect_root(value, root, false)
  return throw_at({ root or "value" }, "cannot be copied")
end

---Throws at the first thing in a value that may not leave this VM, live objects included.
---@param value any
---@param root? string
---@param text_fault? fun(text: string): string?  says what is wrong with a string, as "is ..."
function values.outside(value, root, text_fault)
  inspect_root(value, root, true, text_fault)
end

return values
