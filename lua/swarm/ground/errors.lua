-- Errors are tables: `code`, `message`, `where` (file:line in the author's code), `traceback`
-- and what belongs to the code. tostring(err) is one readable paragraph. What scripts raise is made
-- into one in raised.lua.
local frames = require "swarm.ground.frames"
local shown = require "swarm.ground.shown"
local debug_getmetatable = debug.getmetatable
local error, rawequal, setmetatable, type = error, rawequal, setmetatable, type
local find, sub = string.find, string.sub

local errors = {}

local Error = {}
Error.__metatable = "swarm.error"
errors.metatable = Error

-- What the host knows of an error beside its table, in which a script may write what it likes:
-- whose it is (task_id, name, where, spawned_at, spawned_by), once it has left a worker, and the
-- text that a __tostring of the author's gave. The copies of one error share it.
local known = setmetatable({}, { __mode = "k" })
errors.known = known

---Whether two values are the same error, or copies of one.
---@return boolean
function errors.same(a, b)
  return rawequal(a, b) or type(a) == "table" and known[a] ~= nil and rawequal(known[a], known[b])
end

---Makes an error one of the copies of another.
---@return table copy
function errors.link(err, copy)
  known[err] = known[err] or {}
  known[copy] = known[err]
  return copy
end

---A new error object. `fields` are what belongs to the code.
---@param code string
---@param message string
---@param fields table?
---@return table
function errors.new(code, message, fields)
  local err = fields or {}
  err.code = code
  err.message = message
  return setmetatable(err, Error)
end

---Raises an error that names the place in the author's code that called us.
---@param code string
---@param message string
---@param fields table?
function errors.throw(code, message, fields)
  local err = errors.new(code, message, fields)
  if not err.where then
    err.where = frames.where()
  end
  return error(err, 0)
end

---Whether a value is an error object of ours.
---@return boolean
function errors.is(value)
  return type(value) == "table" and debug_getmetatable(value) == Error
end

---`message` after the place it speaks of.
local function headline(err)
  local message, where = shown.field(err.message), err.where
  if type(where) == "string" and sub(message, 1, #where) ~= where then
    return where .. ": " .. message
  end
  return message
end
errors.headline = headline

function Error.__tostring(err)
  local about = known[err]
  if about and about.text then
    return about.text
  end
  local text = headline(err)
  local code = shown.field(err.code)
  if code ~= "failed" and not find(text, code, 1, true) then
    text = text .. " (" .. code .. ")"
  end
  return text
end

return errors
