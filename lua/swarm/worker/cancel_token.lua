-- Cancel tokens: what a worker hands to those who must know that it was cancelled, or may cancel
-- it. One for each task, made when somebody asks for it.
local cancelling = require "swarm.scope.cancel"
local ends = require "swarm.scope.ends"
local errors = require "swarm.ground.errors"
local joining = require "swarm.worker.join"
local record = require "swarm.scheduler.record"
local shown = require "swarm.ground.shown"
local spelling = require "swarm.ground.spelling"
local waiting = require "swarm.scope.waiting"
local debug_getmetatable, rawget, setmetatable = debug.getmetatable, rawget, setmetatable
local tostring, type = tostring, type

local methods, getters = {}, {}

local KNOWN = { cancelled = true, reason = true, wait = true, cancel = true }

local function index(token, key)
  local method = methods[key]
  if method then
    return method
  end
  local getter = getters[key]
  if getter then
    return getter(debug_getmetatable(token).task)
  end
  return errors.throw(
    "unknown_name",
    "a cancel token has no " .. shown.value(key) .. spelling.hint(key, KNOWN, ""),
    { unknown = tostring(key) }
  )
end

local function newindex()
  return errors.throw(
    "unknown_name",
    "a cancel token cannot be written to; call token:cancel(reason)"
  )
end

local function token_tostring(token)
  return "cancel token of worker " .. record.named(debug_getmetatable(token).task)
end

---Whether a value is a cancel token.
local function is_token(value)
  local mt = type(value) == "table" and debug_getmetatable(value)
  return mt and rawget(mt, "__tostring") == token_tostring or false -- raw: it may be the author's
end

local function task_of(token)
  if not is_token(token) then
    return errors.throw(
      "invalid_argument",
      "this call takes a cancel token: write token:wait(), with a colon"
    )
  end
  return debug_getmetatable(token).task
end

---@return table? cause of a live one
local function cause_of(task)
  return task.worker and task.worker.cancel
end

function getters.cancelled(task)
  return cause_of(task) ~= nil or task.status == "cancelled"
end

function getters.reason(task)
  local cause = cause_of(task)
  return cause and cause.reason or (task.status == "cancelled" and ends.err(task).reason) or nil
end

---Waits until the worker is cancelled (true) or has settled without (false).
function methods.wait(token)
  local task = task_of(token)
  while true do
    local me = cancelling.enter()
    if getters.cancelled(task) then
      return true
    elseif record.final[task.status] then
      return false
    end
    local extra = record.extra(task)
    extra.cancel_waiters = extra.cancel_waiters or { head = nil, tail = nil }
    if not waiting.park_in(me, extra.cancel_waiters, { what = tostring(token) }) then
      waiting.barred("token:wait")
    end
  end
end

function methods.cancel(token, reason)
  return joining.cancel(task_of(token).handle, reason)
end

---ctx.cancel_token
local function token_of(task)
  local extra = record.extra(task)
  local token = extra.cancel_token
  if not token then
    token = setmetatable({}, {
      __index = index,
      __newindex = newindex,
      __tostring = token_tostring,
      __metatable = "swarm.cancel_token",
      task = task,
    })
    extra.cancel_token = token
  end
  return token
end

return { is = is_token, getters = { cancel_token = token_of } }
