-- The public object of a task: its handle and its ctx are the same one, apart from the records. The
-- object is an empty table whose protected metatable is the task itself: no field of it can be
-- read, written or listed through it, the host finds the task in one step (debug.getmetatable,
-- which scripts do not have), and both die together.
local errors = require "swarm.ground.errors"
local record = require "swarm.scheduler.record"
local shown = require "swarm.ground.shown"
local spelling = require "swarm.ground.spelling"
local tasks = require "swarm.scope.tasks"
local debug_getmetatable = debug.getmetatable
local type, tostring = type, tostring
local format, match, sub = string.format, string.match, string.sub

local handle = {}

-- Filled once, in doors/wiring.lua, from what each room offers.
local methods = {} -- name → function(handle, ...): what one calls with a colon
local getters = {} -- name → function(task): what one reads
local known = {} -- their names

---Adds what a room offers on handles. A name is offered once.
---@param more_methods table?
---@param more_getters table?
function handle.offer(more_methods, more_getters)
  for into, more in pairs { [methods] = more_methods or {}, [getters] = more_getters or {} } do
    for name, fn in pairs(more) do
      assert(not known[name], name)
      into[name], known[name] = fn, true
    end
  end
end

-- What people try first on a handle or a ctx, by other libraries' words.
local first_guesses = {
  wait = "join",
  await = "join",
  value = "result",
  kill = "cancel",
  abort = "cancel",
  stop = "cancel",
  tail = "output_tail",
  output = "output_tail",
  emit = "partial",
  agent = "name",
}

function handle.index(object, key)
  local method = methods[key]
  if method then
    return method
  end
  local getter = getters[key]
  if getter then
    return getter(debug_getmetatable(object))
  end
  local guess = first_guesses[key]
  local hint = guess and known[guess] and "; did you mean " .. guess .. "?"
    or spelling.hint(key, known, "")
  return errors.throw(
    "unknown_name",
    "a worker's handle (and ctx) has no " .. shown.value(key) .. hint,
    { unknown = tostring(key) }
  )
end

function handle.newindex(_, key)
  return errors.throw(
    "unknown_name",
    "a worker's handle (and ctx) cannot be written to ("
      .. shown.value(key)
      .. "): pass values as input, "
      .. "or keep them in a table of your own"
  )
end

function handle.tostring(object)
  local task = debug_getmetatable(object)
  return format("worker %s (%s, %s)", record.named(task), tasks.task_id(task), task.status)
end
local handle_tostring = handle.tostring

---Whether a value is a worker's handle.
function handle.is(value)
  if type(value) ~= "table" then
    return false
  end
  local mt = debug_getmetatable(value)
  return mt ~= nil and rawget(mt, "__tostring") == handle_tostring -- raw: mt may be the author's
end

---The task behind a handle or a task_id; raises for anything else.
---@param value any
---@param call string the call's name, for the message
---@return table task
function handle.task(value, call)
  local mt = debug_getmetatable(value)
  if mt and rawget(mt, "__tostring") == handle_tostring and type(value) == "table" then
    return mt
  end
  if sub(call, 1, 4) == "ctx:" then
    return errors.throw("invalid_argument", "write " .. call .. "(...), with a colon")
  end
  local task = type(value) == "string" and tasks.find(value, call)
  if task then
    return task
  end
  local hint, method = "", match(call, "[%w_]+$") or call
  if methods[method] and (value == nil or type(value) == "string") then
    hint = "; of a handle it is called with a colon: h:" .. method .. "()"
  end
  local takes = ' takes a worker\'s handle (what swarm.spawn returned) or a task_id such as "T-7"'
  return errors.throw(
    "invalid_argument",
    call .. takes .. ", and got " .. shown.value(value) .. hint
  )
end

return handle
