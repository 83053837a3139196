-- Cancelling. Causes spread at once, inwards and down, and stop at shields; so whether a call must
-- raise is one look at the innermost scope: cancellation is level-triggered and costs nothing.
--
-- A script that loads is a phase of its worker: a block in which every call raises
-- not_while_loading, save for the few that ask `may_request`. It is no cancel: the worker's own
-- `cancel` stays what it is for all others.
local clock = require "swarm.ground.clock"
local errors = require "swarm.ground.errors"
local events = require "swarm.events.run"
local frames = require "swarm.ground.frames"
local list = require "swarm.ground.list"
local log = require "swarm.events.log"
local record = require "swarm.scheduler.record"
local scopes = require "swarm.scope.scope"
local S = require "swarm.scheduler.scheduler"
local turn = require "swarm.scheduler.turn"
local error, max, setmetatable, type = error, math.max, setmetatable, type
local co_yield, isyieldable = coroutine.yield, coroutine.isyieldable
local running = turn.running

local cancelling = {
  settle_pending = nil, -- worker/settle.lua: ends a worker that never began
  grace = 10, -- seconds that a worker may go on swallowing its cancel; the run's --cancel-grace
}

local CLEAN_UP_SECONDS = 30 -- for all shields that a cancelled worker opens, where none has more

-- What bars the block that a script loads in.
local LOADING = { kind = "loading", reason = "loading" }

---Who keeps what belongs to the cancel that the running worker's innermost scope is under.
local function keeper_of(me)
  local origin = me.scope.cancel.scope
  return origin and origin.worker == me and origin or record.extra(me.task)
end

local function new_error(cause)
  local message = "cancelled: " .. cause.reason -- it is one of many: no table grows
  local err = { code = "cancelled", message = message, reason = cause.reason }
  return setmetatable(err, errors.metatable)
end

---The error that every call raises while the running worker's innermost scope is cancelled. The
---worker may have put into it what it likes, so a hook that was lent other rights gets another.
function cancelling.error_of(me)
  local cause = me.scope.cancel
  local keeper, extra = keeper_of(me), record.extra(me.task)
  local err = keeper.cancelled
  if not err then
    err = new_error(cause)
    keeper.cancelled = err
  end
  return extra.lent_over and errors.link(err, new_error(cause)) or err
end

-- Swallowing --------------------------------------------------------------------------------------
-- The first raise of a turn comes at once; every further one gives way to all others first, so that
-- a loop around a `pcall` holds nobody up. Who goes on is told of, and at last abandoned: its
-- coroutine is never resumed again, and another one brings it to its end (worker/life.lua).

local GIVES_WAY = { what = "its turn to be cancelled once more" }
local TELL_SECONDS = 1
local TELL_RAISES, MOST_RAISES = 100, 1000 -- under a virtual clock

---Never resumed again: whoever serves the worker next begins its end.
local function abandon(me, where)
  local task = me.task
  log.entry(
    "error",
    "worker "
      .. record.title(task)
      .. " is abandoned: it swallows its cancel, and goes on for ever"
      .. (where and ", at " .. where or ""),
    nil,
    task
  )
  if events.on then
    events.publish("abandoned", task, { where = where })
  end
  task.extra.abandoned = true
  me.co = nil
  S.later(me)
  while true do
    co_yield(S.PARK)
  end
end

---A worker has raised before, and calls once more: it has swallowed that.
local function go_on_swallowing(me, extra)
  local swallowing = extra.swallowing
  if not swallowing then
    swallowing = { since = clock.monotonic(), raises = 0, told = false }
    extra.swallowing = swallowing
  end
  swallowing.raises = swallowing.raises + 1
  if extra.raised_in ~= running[0] or not isyieldable() then
    return -- the first raise of this turn
  end
  S.later(me)
  S.park(me, GIVES_WAY)
  if me.queue then
    list.remove(me)
  end
  local seconds, raises = clock.monotonic() - swallowing.since, swallowing.raises
  local virtual = clock.virtual
  if not swallowing.told and (virtual and raises >= TELL_RAISES or seconds >= TELL_SECONDS) then
    swallowing.told = true
    local where = frames.where()
    log.entry(
      "warn",
      "worker "
        .. record.title(me.task)
        .. " was cancelled and goes on: a pcall swallows that"
        .. (where and ", at " .. where or ""),
      nil,
      me.task
    )
  elseif virtual and raises >= MOST_RAISES or seconds >= cancelling.grace then
    return abandon(me, frames.where())
  end
end

-- Raising -----------------------------------------------------------------------------------------

---Raises what the running worker's innermost scope is under.
local function raise(me)
  local cause = me.scope.cancel
  if cause == LOADING then
    return errors.throw(
      "not_while_loading",
      "a script cannot spawn, wait or talk to the outside while it loads, save for fs.read, "
        .. "fs.list, fs.glob, "
        .. "fs.stat, env, json and log; do it in swarm.main or in a worker"
    )
  end
  local extra = record.extra(me.task)
  if extra.raised_in then
    go_on_swallowing(me, extra)
  end
  extra.raised_in = running[0]
  return error(cancelling.error_of(me), 0)
end
cancelling.raise = raise

---The block that was cancelled has ended: what its worker raises later is another cancel's.
function cancelling.is_over(me)
  local extra = me.task.extra
  if extra then
    extra.raised_in, extra.swallowing = nil, nil
  end
end

---What a call that may yield begins with: the running worker, which is neither cancelled nor loads
---a script. A hot path may keep the one line of its own.
---@return table me
function cancelling.enter()
  local me = S.current
  if me.scope.cancel then
    raise(me)
  end
  return me
end

-- Loading -----------------------------------------------------------------------------------------

---The running worker loads a script from here on, until end_loading.
function cancelling.begin_loading(me)
  local block = scopes.new_block(me, me.scope, "loading", false)
  block.cancel = me.scope.cancel or LOADING
  me.scope = block
end

function cancelling.end_loading(me)
  me.scope = me.scope.outer
end

---Whether a worker is in the middle of loading a script.
function cancelling.is_loading(me)
  return me.scope.cancel == LOADING
end

---Whether a worker's work is to load a script, begun or not.
function cancelling.loads(w)
  return w.task.def.apart
end

---Whether a call must raise for a cancel.
function cancelling.is_cancelled(me)
  local cause = me.scope.cancel
  return cause ~= nil and cause ~= LOADING
end

---For the calls that have a meaning while a script loads too: raises where it is cancelled.
function cancelling.may_request(me)
  if cancelling.is_cancelled(me) then
    raise(me)
  end
end

---For the calls that a cancel does not stop, but that have no meaning while a script loads.
function cancelling.not_while_loading()
  local me = S.current
  if me.scope.cancel == LOADING then
    raise(me)
  end
end

-- Spreading ---------------------------------------------------------------------------------------

---Wakes a parked worker for a cancel. What it waits for may have a say: a request waits for the
---port's clean-up.
local function interrupt(w)
  if w == S.current then
    return
  end
  local waiting = w.waiting
  if type(waiting) == "table" and waiting.on_cancel then
    waiting.on_cancel(waiting, w)
  else
    S.wake(w)
  end
end

---A task that is cancelled while its attempt is ending gets no further one.
local function no_retry(w)
  local extra = w.task.extra
  if extra and extra.retries then
    extra.retries.stopped = true
  end
end

---Whether a worker's end needs no coroutine of its own.
local function is_unbegun(w)
  return w.task.status == "pending" and not w.task.def.begins
end

---Cancels a scope: its children first, then the blocks open in it and itself, up to any shield. The
---first cause stays; who has its end behind it and only looks at that (hooks, retries) goes on.
---@param target table a live worker or a block
---@param cause table { kind, reason, scope }
local function cancel(target, cause)
  local w = record.worker_of(target)
  if target == w then
    if is_unbegun(w) then
      return cancelling.settle_pending(w, cause)
    elseif cause.kind ~= "timeout" or cause.scope ~= w then
      no_retry(w)
    end
    local extra = w.task.extra
    if w.cancel or (extra and extra.ending) then
      return
    end
  end
  local inner = w.scope
  local scope = inner
  while scope ~= target do
    if scope.shielded then
      inner = scope.outer
    end
    scope = scope.outer
  end
  scope = inner
  while true do
    if not scope.cancel or scope.cancel == LOADING then
      scope.cancel = cause
      cancelling.children(scope, cause)
      local extra = scope == w and w.task.extra
      if extra and extra.cancel_waiters then
        S.ready_all(extra.cancel_waiters)
      end
    end
    if scope == target then
      break
    end
    scope = scope.outer
  end
  if w.scope.cancel then
    interrupt(w)
  end
end
cancelling.cancel = cancel

---Cancels the live children of a scope, save for those that load scripts: only the run's end stops
---these.
function cancelling.children(scope, cause)
  local child = scope.first_child
  while child do
    local following = child.sib_next
    if not child.task.def.apart then
      cancel(child, cause)
    end
    child = following
  end
end

---Cancels a worker and all below it, through every shield: who had time for clean-up has used it
---up. Settled hooks go on; their own few seconds bound them.
function cancelling.pierce(w, cause)
  if is_unbegun(w) then
    return cancelling.settle_pending(w, cause)
  end
  no_retry(w)
  local extra = record.extra(w.task)
  if extra.ending then
    return
  end
  extra.pierced = true -- no shield opens from here on
  local scope = w.scope
  while scope do
    scope.cancel = scope.cancel or cause
    local child = scope.first_child
    while child do
      local following = child.sib_next
      cancelling.pierce(child, cause)
      child = following
    end
    scope = scope.outer
  end
  interrupt(w)
end

---Whether a worker has used up its time for clean-up. Its settled hooks have a time of their own.
function cancelling.is_pierced(w)
  local extra = w.task.extra
  return extra ~= nil and extra.pierced == true and not extra.ending
end

---Whether a shield may open in the running worker, whose scope is cancelled: all that it opens to
---clean up has one time, from the first of them on, at least its own.
---@param seconds number the shield's own time
---@return boolean
function cancelling.may_clean_up(me, seconds)
  local extra = me.task.extra
  if extra and extra.ending then
    return true
  elseif cancelling.is_pierced(me) then
    return false
  end
  local keeper, now = keeper_of(me), clock.monotonic()
  keeper.clean_up_till = keeper.clean_up_till or now + max(seconds, CLEAN_UP_SECONDS)
  return now < keeper.clean_up_till
end

-- Deadlines ---------------------------------------------------------------------------------------

---The timer of a scope's deadline, or nil.
local function deadline_of(scope)
  if scope.task then
    local extra = scope.task.extra
    return extra and extra.deadline
  end
  return scope.deadline
end

local function expire(node)
  local scope = node.scope
  cancel(scope, { kind = "timeout", reason = node.reason, scope = scope })
end

---Sets a scope's deadline; `disarm` takes it away.
---@param scope table
---@param seconds number from now
---@param reason string
function cancelling.arm(scope, seconds, reason)
  local when = clock.monotonic() + seconds
  local node = { expire = expire, scope = scope, reason = reason, pos = nil, at = when }
  local keeper = scope.task and record.extra(scope.task) or scope
  keeper.deadline = node
  S.set_timer(node, when)
  return node
end

---Takes a scope's deadline away, if it has one.
function cancelling.disarm(scope)
  local node = deadline_of(scope)
  if node then
    S.drop_timer(node)
    local keeper = scope.task and scope.task.extra or scope
    keeper.deadline = nil
  end
end

---The nearest deadline over a worker, on the monotonic clock, or nil.
function cancelling.nearest_deadline(w)
  local nearest
  local scope = w.scope
  while scope do
    local deadline = deadline_of(scope)
    if deadline and (not nearest or deadline.at < nearest) then
      nearest = deadline.at
    end
    if scope.shielded and not scope.supervises then
      return nearest
    end
    scope = scope.outer or scope.owner
  end
  return nearest
end

return cancelling
