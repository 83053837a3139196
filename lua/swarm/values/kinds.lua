-- What may stand in a value beside plain tables, texts, numbers and booleans: null, tables with the
-- mark of an array or an object, files, the VM's live objects, and tables that the host keeps the
-- metatable of. Told apart by their metatables alone: no look at one runs an author's code.

local errors = require "swarm.ground.errors"
local raised = require "swarm.ground.raised"

local debug_getmetatable, newproxy = debug.getmetatable, newproxy
local setmetatable, type, format = setmetatable, type, string.format

local array_meta = { __metatable = "swarm.array" }
local object_meta = { __metatable = "swarm.object" }
local file_meta = { __metatable = "swarm.file" }

local kinds = {
  array_meta = array_meta,
  object_meta = object_meta,
  file_meta = file_meta,
  kept = {}, -- metatable → what is told of each copy
}

local null = newproxy(true)
do
  local meta = debug_getmetatable(null)
  meta.__metatable = "swarm.null"
  meta.__tostring = function()
    return "null"
  end
end
kinds.null = null

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
kinds.array = marker("array", array_meta)

---Marks a table (a new one by default) as an object and returns it.
---@type fun(t?: table): table
kinds.object = marker("object", object_meta)

---Whether the value carries the array mark; a plain list does not.
---@param value any
---@return boolean
function kinds.is_array(value)
  return type(value) == "table" and debug_getmetatable(value) == array_meta
end

---Whether the value carries the object mark; a plain table does not.
---@param value any
---@return boolean
function kinds.is_object(value)
  return type(value) == "table" and debug_getmetatable(value) == object_meta
end

---A value that stands for a file's content.
---@param path string
---@param mime? string
---@return table file  immutable, with the fields `path` and `mime`
function kinds.file(path, mime)
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
function kinds.is_file(value)
  return type(value) == "table" and debug_getmetatable(value) == file_meta
end

---The true fields of a file, whatever user code did to the table with rawset.
---@param file table
---@return string path
---@return string? mime
function kinds.file_parts(file)
  local parts = files[file]
  return parts.path, parts.mime
end

---Whether two files are of the same path and type.
---@param a table
---@param b table
---@return boolean
function kinds.same_file(a, b)
  local one, other = files[a], files[b]
  return one.path == other.path and one.mime == other.mime
end

local opaque_kinds, opaque_count = {}, 0

---Adds a test that names the live objects of the VM, which cross inside it by reference.
---@param name_of fun(value: table|userdata): string?  such as "worker handle", or nil
function kinds.register_opaque(name_of)
  opaque_count = opaque_count + 1
  opaque_kinds[opaque_count] = name_of
end

---What a live object of the VM is called, or nil where a value is none.
---@param value table|userdata
---@return string?
function kinds.opaque_name(value)
  for i = 1, opaque_count do
    local name = opaque_kinds[i](value)
    if name then
      return name
    end
  end
  return nil
end

-- What crosses in errors as it is, and what keeps its metatable there.
raised.keep({ [array_meta] = true, [object_meta] = true }, function(value)
  return debug_getmetatable(value) == file_meta or kinds.opaque_name(value) ~= nil
end)

local function tell_nobody() end

---Lets tables with a metatable of the host's own cross as objects, and keeps it on their copies.
---Its __index, the only thing in it that a walk may meet, must put up with any key.
---@param meta table
---@param on_copy function? called with a table and its copy
function kinds.keep(meta, on_copy)
  kinds.kept[meta] = on_copy or tell_nobody
end

---Whether a table has such a metatable.
---@param value table
---@return boolean
function kinds.is_kept(value)
  return kinds.kept[debug_getmetatable(value)] ~= nil
end

return kinds
