-- Closed tables: what scripts can read and not write, and what says so where a name does not exist.
local errors = require "swarm.ground.errors"
local shown = require "swarm.ground.shown"
local spelling = require "swarm.ground.spelling"
local debug_getmetatable = debug.getmetatable
local setmetatable, tostring, type = setmetatable, tostring, type

local closed = {}

---Raises: there is no such name.
---@param message string
---@param name any
function closed.throw(message, name)
  return errors.throw("unknown_name", message, { unknown = tostring(name) })
end

---Raises: an object has no such field.
---@param what string what the author calls it, such as "an answer of swarm.http"
---@param key any
---@param known table keys are the names that it has
function closed.has_no(what, key, known)
  return closed.throw(what .. " has no " .. shown.value(key) .. spelling.hint(key, known, ""), key)
end

---An __index that says that a name does not exist, and which was meant, instead of giving nil.
---@param members table keys are the names that there are
---@param prefix string how an author writes them, such as "swarm.fs."
---@param optional table? names that may be nil
---@return function
function closed.index(members, prefix, optional)
  return function(_, key)
    if optional and optional[key] then
      return nil
    end
    local text = prefix .. tostring(key) .. " does not exist"
    return closed.throw(text .. spelling.hint(key, members, prefix), key)
  end
end

---A table through which the members of another can be read, and none written.
---@param members table
---@param prefix string how an author writes them, such as "swarm.fs."
---@param optional table? names that may be nil
---@param settable table<string, fun(value: any)>? what takes an assignment to a name
---@return table
function closed.table(members, prefix, optional, settable)
  return setmetatable({}, {
    __index = setmetatable(members, { __index = closed.index(members, prefix, optional) }),
    __newindex = function(_, key, value)
      if settable and settable[key] then
        return settable[key](value)
      end
      return errors.throw(
        "unknown_name",
        prefix .. tostring(key) .. " cannot be set: it belongs to the host"
      )
    end,
    __call = function()
      local name = prefix:sub(1, -2)
      local list = spelling.list(members)
      return errors.throw("invalid_argument", name .. " cannot be called; it has " .. list)
    end,
    __metatable = prefix:sub(1, -2),
    closed = true,
  })
end

---The members of such a table, or nil where it is none.
---@return table?
function closed.members(value)
  local meta = type(value) == "table" and debug_getmetatable(value)
  return meta and meta.closed and meta.__index or nil
end

return closed
