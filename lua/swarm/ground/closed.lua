-- Closed tables: what scripts can read and not write, and what says so where a name does not exist.
local errors = require "swarm.ground.errors"
local names = require "swarm.ground.spelling"
local setmetatable, tostring = setmetatable, tostring

local closed = {}

---Makes a table say that a name does not exist, and which was meant, instead of giving nil.
---@param members table
---@param prefix string how an author writes them, such as "swarm.fs."
---@param optional table? names that may be nil
---@return table members
function closed.says_unknown(members, prefix, optional)
  return setmetatable(members, {
    __index = function(_, key)
      if optional and optional[key] then
        return nil
      end
      return errors.throw(
        "unknown_name",
        prefix .. tostring(key) .. " does not exist" .. names.hint(key, members, prefix),
        { name = tostring(key) }
      )
    end,
  })
end

---A table through which the members of another can be read, and none written.
---@param members table
---@param prefix string how an author writes them, such as "swarm.fs."
---@param optional table? names that may be nil
---@return table
function closed.table(members, prefix, optional)
  return setmetatable({}, {
    __index = closed.says_unknown(members, prefix, optional),
    __newindex = function(_, key)
      return errors.throw(
        "unknown_name",
        prefix .. tostring(key) .. " cannot be set: it belongs to the host"
      )
    end,
    __metatable = prefix:sub(1, -2),
  })
end

return closed
