-- Cancel tokens: what a worker hands to those who must know that it was cancelled, or may cancel
-- it. One for each worker, made when somebody asks for it.
local shown = require "swarm.ground.shown"
local spelling = require "swarm.ground.spelling"
local waits = require "swarm.scope.waits"
local Join = require "swarm.worker.join"
local errors = require "swarm.ground.errors"
local handles = require "swarm.worker.handle"
local S = require "swarm.scheduler.scheduler"
local Scope = require "swarm.scope.scope"
local debug_getmetatable, rawget, setmetatable = debug.getmetatable, rawget, setmetatable

local methods, getters = {}, {}

local function index(token, key)
  local method = methods[key]
  if method then
    return method
  end
  local getter = getters[key]
  if getter then
    return getter(debug_getmetatable(token).worker)
  end
  local known = { cancelled = true, reason = true, wait = true, cancel = true }
  return errors.throw(
    "unknown_name",
    "a cancel token has no " .. shown.value(key) .. spelling.hint(key, known, ""),
    { name = tostring(key) }
  )
end

local function newindex()
  return errors.throw(
    "unknown_name",
    "a cancel token cannot be written to; call token:cancel(reason)"
  )
end

local function token_tostring(token)
  local w = debug_getmetatable(token).worker
  return "cancel token of worker " .. handles.label(w)
end

local function worker_of(token)
  local mt = debug_getmetatable(token)
  if type(token) ~= "table" or not mt or rawget(mt, "__tostring") ~= token_tostring then
    return errors.throw(
      "invalid_argument",
      "this call takes a cancel token: write token:wait(), with a colon"
    )
  end
  return mt.worker
end

---Whether a value is a cancel token.
local function is_token(value)
  local mt = type(value) == "table" and debug_getmetatable(value)
  return mt and rawget(mt, "__tostring") == token_tostring or false -- raw: it may be the author's
end

local function cause_of(w)
  local cause = w.cancel
  return cause and cause.kind ~= "loading" and cause or nil
end

function getters.cancelled(w)
  return cause_of(w) ~= nil or w.status == "cancelled"
end

function getters.reason(w)
  local cause = cause_of(w)
  return cause and cause.reason or (w.status == "cancelled" and w.err.reason) or nil
end

---Waits until the worker is cancelled (true) or has settled without (false).
function methods.wait(token)
  local w = worker_of(token)
  local me = S.current
  while true do
    if me.scope.cancel then
      Scope.raise(me)
    elseif getters.cancelled(w) then
      return true
    elseif handles.final[w.status] then
      return false
    end
    local extra = w.extra or {}
    w.extra = extra
    extra.cancel_waiters = extra.cancel_waiters or { head = nil, tail = nil }
    S.push_back(extra.cancel_waiters, me)
    local parked = S.park(me, { what = tostring(token) })
    if me.queue then
      S.remove(me)
    end
    if not parked then
      waits.barred("token:wait")
    end
  end
end

function methods.cancel(token, reason)
  return Join.cancel(worker_of(token).handle, reason)
end

function handles.getters.cancel_token(w)
  local extra = w.extra or {}
  w.extra = extra
  local token = extra.cancel_token
  if not token then
    token = setmetatable({}, {
      __index = index,
      __newindex = newindex,
      __tostring = token_tostring,
      __metatable = "swarm.cancel_token",
      worker = w,
    })
    extra.cancel_token = token
  end
  return token
end

return { is = is_token }
