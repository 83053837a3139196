-- Blocks: scopes that a worker opens inside its own: scope, timeout and shield. A block ends only
-- when the children spawned in it have settled; a block that raises or is cancelled cancels them
-- first.
local clock = require "swarm.clock"
local errors = require "swarm.errors"
local names = require "swarm.names"
local S = require "swarm.scheduler"
local Scope = require "swarm.scope"
local W = require "swarm.worker"
local handles = require "swarm.handle"

local co_running, dumpstack = coroutine.running, require("jit.profile").dumpstack
local xpcall, error, type, rawequal = xpcall, error, type, rawequal
local setmetatable = setmetatable

local blocks = {}

local SHIELD_SECONDS = 30 -- a shield is always bounded

---Children that a block cannot wait for go to the scope around it.
local function hand_over(scope)
  while scope.first_child do
    local child = scope.first_child
    Scope.release(scope, child)
    child.owner = scope.outer
    Scope.adopt(scope.outer, child)
  end
end

---Ends a block: cancels what has to be cancelled, waits for the children, restores the scope around.
local function leave(me, scope, ok)
  local cause = scope.cancel
  if not cause and not ok then
    cause = { kind = "parent", reason = "the block they belong to failed", scope = scope }
  end
  if cause then
    Scope.cancel_children(scope, cause)
  end
  local waited = Scope.wait_children(me, scope)
  if not waited then
    Scope.cancel_children(scope, { kind = "parent", reason = "the block they belong to ended", scope = scope })
    hand_over(scope)
  end
  scope.closed = true
  if scope.deadline then
    S.drop_timer(scope.deadline)
  end
  me.scope = scope.outer
  return waited
end

local function attach_others(primary, scope)
  local others = Scope.unowned(scope)
  if others and type(primary) == "table" then
    local list = {}
    for i = 1, #others do
      if not rawequal(others[i], primary) then
        list[#list + 1] = others[i]
      end
    end
    if #list > 0 and primary.others == nil then
      primary.others = list
    end
  end
end

---What the block comes to: returns the function's values, or raises.
local function outcome(scope, waited, ok, ...)
  local err = not ok and (...) or nil
  local cause = scope.cancel
  local mine = cause and cause.scope == scope
  local is_cancel = not ok and rawequal(err, scope.err)
  if scope.nursery and scope.first_error and (ok or is_cancel or mine) then
    attach_others(scope.first_error, scope)
    return error(scope.first_error, 0)
  end
  if mine and cause.kind == "timeout" and (ok or is_cancel) then
    return errors.throw("timeout", scope.what .. " " .. cause.reason)
  end
  if not ok then
    if mine and type(err) == "table" then
      err.cancel_reason = cause.reason
    end
    attach_others(err, scope)
    return error(err, 0)
  end
  if not waited then
    return W.barred(scope.what)
  end
  local unowned = Scope.unowned(scope)
  if unowned then
    return error(Scope.children_failed(unowned), 0)
  end
  return ...
end

local function finish(me, scope, ok, ...)
  local waited = leave(me, scope, ok)
  return outcome(scope, waited, ok, ...)
end

local function open(me, what, shielded, seconds)
  local outer = me.scope
  local cancel = outer.cancel
  if cancel and not shielded then
    Scope.raise(me)
  elseif cancel == Scope.LOADING then
    Scope.raise(me)
  end
  local scope = {
    worker = me,
    outer = outer,
    cancel = nil,
    shielded = shielded,
    nursery = false,
    first_child = nil,
    failed = nil,
    first_error = nil,
    closed = false,
    err = nil,
    deadline = nil,
    what = what,
    co = co_running(),
  }
  me.scope = scope
  if seconds then
    Scope.arm(scope, seconds, "ran out of time after " .. seconds .. " s")
  end
  return scope
end

local function check_function(fn, call)
  if type(fn) ~= "function" then
    return errors.throw("invalid_argument", call .. " takes a function, and got " .. names.show(fn))
  end
end

---swarm.timeout(s, fn) → what fn returned; raises `timeout`
function blocks.timeout(seconds, fn)
  W.seconds(seconds, "swarm.timeout")
  check_function(fn, "swarm.timeout")
  local me = S.current
  local scope = open(me, "swarm.timeout", false, seconds)
  return finish(me, scope, xpcall(fn, errors.passing))
end

---swarm.shield(fn, opts?) → what fn returned; outer cancels and deadlines wait until it is over
function blocks.shield(fn, opts)
  check_function(fn, "swarm.shield")
  local seconds = SHIELD_SECONDS
  if opts ~= nil then
    if type(opts) ~= "table" then
      return errors.throw("invalid_argument", "swarm.shield takes a table of options, and got " .. names.show(opts))
    end
    seconds = opts.timeout and W.seconds(opts.timeout, "swarm.shield's option timeout") or seconds
  end
  local me = S.current
  local scope = open(me, "swarm.shield", true, seconds)
  return finish(me, scope, xpcall(fn, errors.passing))
end

-- The object that swarm.scope hands to its function.
local ScopeFace = { __metatable = "swarm.scope" }
ScopeFace.__index = ScopeFace
local scope_of = setmetatable({}, { __mode = "k" })

function ScopeFace.spawn(face, name, input, opts)
  local scope = scope_of[face]
  if not scope then
    return errors.throw("invalid_argument", "write scope:spawn(...), with a colon")
  elseif scope.closed then
    return errors.throw("invalid_argument", "this scope is closed: it ended when its function and its workers did")
  end
  local me = S.current
  if me.scope.cancel then
    Scope.raise(me)
  elseif scope.cancel then
    return errors.throw("cancelled", "this scope is cancelled: " .. scope.cancel.reason, { reason = scope.cancel.reason })
  end
  return (W.spawn_into(scope, me, name, input, opts, dumpstack(W.SITE, W.SITE_DEPTH)))
end

---swarm.scope(fn) → what fn(scope) returned, once all workers of the scope have settled; the first
---failure cancels the rest and is raised, with the others attached
function blocks.scope(fn)
  check_function(fn, "swarm.scope")
  local me = S.current
  local scope = open(me, "swarm.scope", false, nil)
  scope.nursery = true
  local face = setmetatable({}, ScopeFace)
  scope_of[face] = scope
  return finish(me, scope, xpcall(fn, errors.passing, face))
end

-- Waiting -----------------------------------------------------------------------------------------

local SLEEP = { what = "a timer" }
local TURN = { what = "its turn" }

---swarm.sleep(s)
function blocks.sleep(seconds)
  W.seconds(seconds, "swarm.sleep")
  local me = S.current
  if me.scope.cancel then
    Scope.raise(me)
  end
  local timer = S.alarm(me, clock.monotonic() + seconds)
  local parked = S.park(me, SLEEP)
  S.drop_timer(timer)
  if me.scope.cancel then
    Scope.raise(me)
  elseif not parked then
    W.barred("swarm.sleep")
  end
end

---swarm.yield(): everybody else gets a turn
function blocks.yield()
  local me = S.current
  if me.scope.cancel then
    Scope.raise(me)
  end
  S.later(me)
  local parked = S.park(me, TURN)
  if me.queue then
    S.remove(me)
  end
  if me.scope.cancel then
    Scope.raise(me)
  elseif not parked then
    W.barred("swarm.yield")
  end
end

---swarm.checkpoint(): raises where the worker is cancelled, else goes on at once
function blocks.checkpoint()
  local me = S.current
  if me.scope.cancel then
    Scope.raise(me)
  end
end

function handles.getters.deadline(w)
  return Scope.nearest_deadline(w)
end

return blocks
