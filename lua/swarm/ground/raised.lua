-- What scripts raise, made into errors: of any value, an error object that arrives whole; and plain
-- copies of errors, to cross into JSON.
local errors = require "swarm.ground.errors"
local frames = require "swarm.ground.frames"
local shown = require "swarm.ground.shown"
local getinfo, debug_getmetatable = debug.getinfo, debug.getmetatable
local type, setmetatable, rawget, rawset, next = type, setmetatable, rawget, rawset, next
local match, min = string.match, math.min
local Error, is_host, show_field = errors.metatable, frames.is_host, shown.field
local innermost, take_traceback = frames.innermost, frames.take_traceback

local raised = {}

---Whether the fields of a table can be read and written without running the author's code.
local function is_passive(mt)
  if mt == nil then
    return true
  elseif rawget(mt, "__newindex") ~= nil then
    return false
  end
  local above = rawget(mt, "__index")
  for _ = 1, 8 do
    if above == nil then
      return true
    elseif type(above) ~= "table" then
      return false
    end
    mt = debug_getmetatable(above)
    above = mt and rawget(mt, "__index")
  end
  return false
end

-- Errors made from tables of scripts: whoever raises one has it from another worker.
local arrived = setmetatable({}, { __mode = "k" })

---What stands for a raised table: a script may raise one and the same from many workers.
local function copy_of(value, mt)
  local fields = {}
  for key, item in next, value do
    fields[key] = item
  end
  arrived[fields] = true
  return mt and setmetatable(fields, mt) or fields
end

---What stands for a raised table that host code cannot touch: its fields, and itself as `raised`.
local function stand_in(value)
  local fields = { raised = value }
  for key, item in next, value do
    if type(key) == "string" then
      fields[key] = item
    end
  end
  return fields
end

---Whether the innermost function that is not C is the host's.
local function raised_by_host()
  local level = 3
  local info = getinfo(level, "S")
  while info and info.what == "C" do
    level = level + 1
    info = getinfo(level, "S")
  end
  return info == nil or is_host(info)
end

---Makes what a script raised into an error object; the handler of every worker's xpcall.
---A table that a script raised arrives whole: a copy with `code`, `message`, `traceback` added.
function raised.from_raised(value)
  if type(value) == "table" then
    local mt = debug_getmetatable(value)
    if mt == Error or arrived[value] then
      if value.task_id and value.name then
        -- Another worker's error raised again: this worker failed because of it.
        return errors.new("failed", value.message, {
          cause = value,
          where = value.where,
          traceback = take_traceback(value),
        })
      elseif value.code ~= "cancelled" and not value.traceback then
        value.traceback = take_traceback(value)
      end
      return value
    end
    local err = is_passive(mt) and copy_of(value, mt) or stand_in(value)
    -- Raw, so that what its class gives it is still there where only the fields cross.
    local own = mt and rawget(mt, "__tostring") and shown.text(value)
    rawset(err, "code", err.code == nil and "failed" or err.code)
    local message = err.message or own or "an error object with code " .. show_field(err.code)
    rawset(err, "message", shown.text(message))
    rawset(err, "traceback", err.traceback or take_traceback(value))
    rawset(err, "where", err.where or innermost(err.traceback))
    return debug_getmetatable(err) and err or setmetatable(err, Error)
  end
  local text = value
  if type(value) ~= "string" then
    local what = value == nil and "nil" or "a " .. type(value) .. ": " .. shown.text(value)
    text = "an error that is " .. what
  end
  local where = match(text, "^([^\n]-:%d+): ")
  local code = "failed"
  if where and match(where, "^swarm/[%w_/]+%.lua:%d+$") and raised_by_host() then
    code = "internal" -- a fault of ours: say so instead of blaming the script
  end
  local traceback = take_traceback(value)
  return errors.new(code, text, { where = where or innermost(traceback), traceback = traceback })
end

---What was raised, as a table to add fields to. One that a worker has brought is copied: others
---read it too.
---@return table
function raised.writable(value)
  if type(value) ~= "table" then
    return raised.from_raised(value)
  end
  local mt = debug_getmetatable(value)
  if not is_passive(mt) then
    return raised.from_raised(value)
  elseif rawget(value, "task_id") and rawget(value, "name") then
    local own = copy_of(value, mt)
    local others = rawget(value, "others")
    if type(others) == "table" then
      local list = {}
      for i = 1, #others do
        list[i] = others[i]
      end
      rawset(own, "others", list)
    end
    return own
  end
  return value
end

-- Fields that readers take as text, and as lists of errors, whatever a script put there.
local TEXTS = {
  code = true,
  message = true,
  where = true,
  traceback = true,
  spawned_at = true,
  spawned_by = true,
  cancel_reason = true,
  name = true,
  label = true,
  task_id = true,
}
local LISTS = { errors = true, others = true, waiting = true }
local MAX_DEPTH = 40 -- errors within errors; in JSON each is two levels
local MAX_NESTED = 1000 -- all of them together: a script's may contain themselves

local plain

---@param walk table { depth, nested }
local function plain_nested(value, walk)
  if type(value) ~= "table" then
    return { code = "failed", message = show_field(value) }
  end
  walk.nested = walk.nested + 1
  if walk.depth >= MAX_DEPTH or walk.nested > MAX_NESTED then
    local code, message = rawget(value, "code"), rawget(value, "message")
    return { code = show_field(code), message = show_field(message) }
  end
  return plain(value, walk)
end

local function plain_list(list, walk)
  local copy = {}
  for i = 1, min(#list, MAX_NESTED) do
    copy[i] = plain_nested(rawget(list, i), walk)
  end
  return copy
end

function plain(err, walk)
  walk.depth = walk.depth + 1
  local copy = {}
  for key, value in next, err do
    local kind = type(value)
    if TEXTS[key] then
      copy[key] = show_field(value)
    elseif LISTS[key] then
      copy[key] = kind == "table" and plain_list(value, walk) or nil
    elseif key == "cause" then
      copy[key] = plain_nested(value, walk)
    elseif type(key) == "string" then
      if kind == "string" or kind == "boolean" or (kind == "number" and value - value == 0) then
        copy[key] = value
      elseif errors.is(value) then
        copy[key] = plain_nested(value, walk)
      end
    end
  end
  walk.depth = walk.depth - 1
  return copy
end

---A plain copy of an error for crossing into JSON: strings, numbers and nested errors only.
---@return table
function raised.plain(err)
  return plain(err, { depth = 0, nested = 0 })
end

return raised
