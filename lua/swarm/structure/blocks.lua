-- Blocks: scopes that a worker opens inside its own: scope, timeout and shield. A block ends only
-- when the children spawned in it have settled; a block that raises or is cancelled cancels them
-- first.
local arguments = require "swarm.ground.arguments"
local cancelling = require "swarm.scope.cancel"
local closing = require "swarm.worker.closing"
local errors = require "swarm.ground.errors"
local frames = require "swarm.ground.frames"
local need_room = require "swarm.ground.room"
local opaque = require "swarm.ground.opaque"
local raised = require "swarm.ground.raised"
local record = require "swarm.scheduler.record"
local S = require "swarm.scheduler.scheduler"
local scopes = require "swarm.scope.scope"
local shown = require "swarm.ground.shown"
local site = require "swarm.ground.site"
local spawning = require "swarm.worker.spawn"
local waiting = require "swarm.scope.waiting"

local take_site, FORMAT, LEVELS = site.take, site.FORMAT, site.LEVELS
local co_running = coroutine.running
local xpcall, error, type = xpcall, error, type
local rawset = rawset

local blocks = {}

local HANDLER_OVERFLOW = "error in error handling" -- as Lua calls it
local SHIELD_SECONDS = 30 -- a shield is always bounded

---Children that a block cannot wait for go to the scope around it.
local function hand_over(scope)
  while scope.first_child do
    local child = scope.first_child
    scopes.release(scope, child)
    child.owner = scope.outer
    scopes.adopt(scope.outer, child)
  end
end

---Ends a block: cancels what must be cancelled, waits for the children, restores the scope around.
---@return boolean waited, boolean ok, any err
local function leave(me, scope, ok, err)
  if scope.deadline then
    S.fire_due_timers() -- a function that only computes may have run past it
  end
  local waited
  ok, err, waited = closing.close(me, scope, ok, err, "the block they belong to failed")
  if not waited then
    local reason = "the block they belong to ended"
    cancelling.children(scope, { kind = "parent", reason = reason, scope = scope })
    hand_over(scope)
  end
  scope.closed = true
  cancelling.disarm(scope)
  me.scope = scope.outer
  if scope.cancel and not scope.outer.cancel then
    cancelling.is_over(me)
  end
  return waited, ok, err
end

---The error of a block whose own time is up. Where the scope around it is over as well, that is
---what ends the block.
local function time_is_up(me, scope, cause)
  if scope.outer.cancel and not scope.shielded then
    return cancelling.error_of(me)
  end
  local where = frames.where()
  if not where and not scope.shielded then
    where = record.home(me.task) -- a tail call left no frame; the host's own shields have a name
  end
  return errors.new("timeout", scope.what .. " " .. cause.reason, { where = where })
end

---What the block comes to: returns the function's values, or raises.
local function outcome(me, scope, waited, ok, ...)
  local err = not ok and (...) or nil
  local cause = scope.cancel
  local mine = cause and cause.scope == scope
  local is_cancel = err ~= nil and errors.same(err, scope.cancelled)
  local unowned = scopes.unowned(scope)
  if err == HANDLER_OVERFLOW then
    err = "stack overflow" -- there was no room left for the handler either
  end
  if scope.nursery and scope.first_error and (ok or is_cancel or mine) then
    local first = scopes.with_others(raised.crossing(scope.first_error), unowned)
    if is_cancel then
      first = scopes.with_others(first, err.others) -- of blocks further in
    elseif not ok and not errors.same(err, scope.first_error) then
      first = scopes.with_others(first, { raised.from_raised(err) }) -- raised in clean-up
    end
    return error(first, 0)
  end
  if mine and cause.kind == "timeout" and (ok or is_cancel) then
    local late = scopes.with_others(time_is_up(me, scope, cause), is_cancel and err.others or nil)
    return error(scopes.with_others(late, unowned), 0)
  end
  if not ok then
    if mine and type(err) == "table" then
      err = raised.writable(err)
      rawset(err, "cancel_reason", cause.reason)
    end
    return error(scopes.with_others(err, unowned), 0)
  end
  if not waited then
    return waiting.barred(scope.what)
  end
  if unowned then
    return error(scopes.children_failed(unowned), 0)
  end
  return ...
end

local function finish(me, scope, ok, ...)
  local waited, still_ok, err = leave(me, scope, ok, (...))
  if ok and not still_ok then
    return outcome(me, scope, waited, false, err)
  end
  return outcome(me, scope, waited, ok, ...)
end

local function open(me, what, shielded, seconds)
  local outer = me.scope
  if
    outer.cancel
    and (not shielded or cancelling.is_loading(me) or not cancelling.may_clean_up(me, seconds))
  then
    cancelling.raise(me)
  end
  need_room() -- for its end, whatever the function does to the stack
  local scope = scopes.new_block(me, outer, what, shielded)
  scope.co = co_running()
  me.scope = scope
  if seconds then
    cancelling.arm(scope, seconds, "ran out of time after " .. seconds .. " s")
  end
  return scope
end

local function check_function(fn, call)
  if type(fn) ~= "function" then
    local got = shown.value(fn)
    return errors.throw("invalid_argument", call .. " takes a function, and got " .. got)
  end
end

---swarm.timeout(s, fn) → what fn returned; raises `timeout`
function blocks.timeout(seconds, fn)
  arguments.seconds(seconds, "swarm.timeout")
  check_function(fn, "swarm.timeout")
  local me = S.current
  local scope = open(me, "swarm.timeout", false, seconds)
  return finish(me, scope, xpcall(fn, frames.passing))
end

---Runs a function for so many seconds at most; that its time is up is no error.
function blocks.within(seconds, fn)
  local ok, err = pcall(blocks.timeout, seconds, fn)
  if not ok and not (type(err) == "table" and err.code == "timeout") then
    return error(err, 0)
  end
end

---Runs a function in a shield.
---@param what string as a message names the block
---@param a any what the function is given; a closure that has it is dear where that is often
function blocks.shielded(what, seconds, fn, a, b)
  local me = S.current
  local scope = open(me, what, true, seconds)
  return finish(me, scope, xpcall(fn, frames.passing, a, b))
end

local SHIELD_OPTIONS = { timeout = true }

---swarm.shield(fn, opts?) → what fn returned; outer cancels and deadlines wait until it is over
function blocks.shield(fn, opts)
  check_function(fn, "swarm.shield")
  local seconds = SHIELD_SECONDS
  if opts ~= nil then
    arguments.options(opts, SHIELD_OPTIONS, "swarm.shield")
    if opts.timeout ~= nil then
      seconds = arguments.seconds(opts.timeout, "swarm.shield's option timeout")
    end
  end
  return blocks.shielded("swarm.shield", seconds, fn)
end

---Runs a function in a block of its own, which waits for the children spawned in it and no others.
---@param what string as a message names the block
function blocks.apart(what, fn, ...)
  local me = S.current
  local scope = open(me, what, false, nil)
  return finish(me, scope, xpcall(fn, frames.passing, ...))
end

-- The object that swarm.scope hands to its function.
local ScopeFace = opaque.kind("scope", {
  start = "spawn",
  start_soon = "spawn",
  create_task = "spawn",
  run = "spawn",
  async = "spawn",
  go = "spawn",
})

---scope:spawn(name, input?, opts?) → handle of a worker of this scope
function ScopeFace.methods.spawn(face, name, input, opts)
  local scope = opaque.record(ScopeFace, face, "scope:spawn(...)").scope
  if scope.closed then
    return errors.throw(
      "invalid_argument",
      "this scope is closed: it ended when its function and its workers did"
    )
  end
  local me = cancelling.enter()
  if scope.cancel then
    return errors.throw("invalid_argument", "this scope is cancelled: " .. scope.cancel.reason)
  end
  return (spawning.named(scope, me, name, input, opts, take_site(FORMAT, LEVELS)))
end

---swarm.scope(fn) → what fn(scope) returned, once all workers of the scope have settled; the first
---failure cancels the rest and is raised, with the others attached
function blocks.scope(fn)
  check_function(fn, "swarm.scope")
  local me = S.current
  local scope = open(me, "swarm.scope", false, nil)
  scope.nursery = true
  local face = opaque.seal(ScopeFace, { scope = scope }, nil)
  return finish(me, scope, xpcall(fn, frames.passing, face))
end

blocks.getters = {
  deadline = function(task)
    local w = task.worker
    return w and cancelling.nearest_deadline(w)
  end,
}

return blocks
