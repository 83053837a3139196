-- Waiting for workers: join, result, call; and cancel. A join that would never end because it
-- closes a cycle is a deadlock at once (deadlock.lua).
local arguments = require "swarm.ground.arguments"
local cancelling = require "swarm.scope.cancel"
local clock = require "swarm.ground.clock"
local deadlock = require "swarm.worker.deadlock"
local ends = require "swarm.scope.ends"
local errors = require "swarm.ground.errors"
local frames = require "swarm.ground.frames"
local gate = require "swarm.rights.gate"
local handles = require "swarm.worker.handle"
local list = require "swarm.ground.list"
local need_room = require "swarm.ground.room"
local record = require "swarm.scheduler.record"
local results = require "swarm.worker.result"
local S = require "swarm.scheduler.scheduler"
local scopes = require "swarm.scope.scope"
local shared = require "swarm.journal.shared"
local shown = require "swarm.ground.shown"
local spawning = require "swarm.worker.spawn"
local values = require "swarm.values.values"
local waiting = require "swarm.scope.waiting"

local type, error = type, error
local copy, raise, own, named = values.copy, cancelling.raise, scopes.own, record.named

local joining = {}

---Puts a worker among those who join another.
local function enlist(w, me)
  local joiners = w.joiners
  if not joiners or (joiners.task and joiners.queue) then -- one that was woken waits no longer
    w.joiners = me
    return
  end
  if joiners.task then
    local several = { head = nil, tail = nil }
    list.push_back(several, joiners)
    w.joiners = several
    joiners = several
  end
  list.push_back(joiners, me)
end

local function describe_timed(waits_for)
  return "worker " .. named(waits_for.joins) .. ", for a time"
end

---Waits until a task has settled. False: the time ran out first.
local function wait_for(me, task, timeout)
  local timer, waits_for = nil, task
  local w = task.worker
  if not S.can_park() then
    return waiting.barred("join")
  end
  if timeout then
    timer = S.alarm(me, clock.monotonic() + timeout)
    waits_for = { describe = describe_timed, joins = task }
  elseif task.parent ~= me.task or w.waiting or task.def.slots then
    deadlock.check_join(me, w)
  end
  local extra = task.extra
  if extra and extra.on_awaited then
    extra.on_awaited() -- it may stay only for as long as nobody waits for its end
  end
  while true do
    enlist(w, me)
    if w.co == nil and w.waiting == nil then
      S.ready(w)
    end
    local parked = S.park_now(me, waits_for)
    local settled = task.worker == nil -- and `w` may be another's by now
    if not settled and w.joiners == me then
      w.joiners = nil
    elseif me.queue then
      list.remove(me)
    end
    local rang = timer and not timer.pos
    if settled or rang or me.scope.cancel or not parked then
      if timer then
        S.drop_timer(timer)
      end
      if me.scope.cancel then
        raise(me)
      elseif settled then
        return true
      elseif not parked then
        waiting.barred("join")
      end
      return false
    end
  end
end

---The task behind what a call was given, settled; or nil and the task, where the time ran out.
local function settled_task(target, timeout, call, verb)
  local me = S.current
  if me.scope.cancel then
    raise(me)
  end
  if me.rights[verb] ~= true then
    gate.check(me, verb)
  end
  local task = handles.task(target, call)
  if task.parent ~= me.task then
    shared.ask(task)
  end
  if task.worker and not wait_for(me, task, timeout) then
    return nil, task
  end
  return task
end

local JOIN_OPTIONS = { timeout = true }

---Waits for a task as `join` does. Its failure stays whose it is.
---@return table? task settled; nil: the time ran out first
---@return table? waited the task, where it did
---@return number? timeout seconds
function joining.await(target, opts)
  local timeout
  if opts ~= nil then
    arguments.options(opts, JOIN_OPTIONS, "join")
    timeout = opts.timeout and arguments.seconds(opts.timeout, "join's option timeout")
  end
  local task, waited = settled_task(target, timeout, "join", "poll_task")
  return task, waited, timeout
end

---swarm.join(h, opts?) → true · nil, err
function joining.join(target, opts)
  local task, waited, timeout = joining.await(target, opts)
  if not task then
    local message = "worker " .. named(waited) .. " has not settled within " .. timeout .. " s"
    return nil,
      errors.new(
        "poll_timeout",
        message,
        { where = frames.where(), traceback = frames.traceback() }
      )
  end
  local status = task.status
  if status == "pass" or status == "blocked" or (task.extra and task.extra.overridden) then
    return true
  end
  own(task)
  return nil, scopes.error_for(task, S.current.rights)
end

---What a senior has put in the place of a result (people/verdicts.lua).
local function overridden(task, by)
  local value = copy(by.value, "result")
  if by.ok then
    return value
  end
  local reason = results.reason(by.reason or "overridden by " .. by.by)
  return value, ends.stamp(task, results.blocked_error(value, reason))
end

---swarm.result(h) → value · value, err (blocked); raises the error of any other end
function joining.result(target)
  local task = settled_task(target, nil, "result", "poll_task")
  local status, value = task.status, task.value
  if task.extra and task.extra.overridden then
    return overridden(task, task.extra.overridden)
  elseif status == "pass" then
    if type(value) == "table" then
      return copy(value, "result")
    end
    return value
  elseif status == "blocked" then
    return copy(value, "result"), scopes.error_for(task, S.current.rights)
  end
  own(task)
  return error(scopes.error_for(task, S.current.rights), 0)
end

---swarm.call(name, input?, opts?): spawn and result in one
function joining.call(name, input, opts)
  local me = S.current
  local scope = me.scope
  if scope.cancel then
    raise(me)
  end
  return joining.result((spawning.here(scope, me, name, input, opts)))
end

-- Cancelling --------------------------------------------------------------------------------------

local CANCEL_OPTIONS = { wait = true }

---swarm.cancel(h, reason?, opts?) → boolean
function joining.cancel(target, reason, opts)
  cancelling.not_while_loading()
  gate.check(S.current, "cancel_task")
  local task = handles.task(target, "cancel")
  if reason ~= nil and type(reason) ~= "string" then
    return errors.throw(
      "invalid_argument",
      "cancel takes a reason that is a string, and got " .. shown.value(reason)
    )
  end
  if opts ~= nil then
    arguments.options(opts, CANCEL_OPTIONS, "cancel")
  end
  need_room()
  local w, extra = task.worker, task.extra
  local live = w ~= nil and not (extra and extra.ending)
  local before = w and w.cancel
  if w then
    cancelling.cancel(w, { kind = "cancel", reason = reason or "no reason given", scope = w })
  end
  if opts and opts.wait then
    settled_task(target, nil, "cancel", "cancel_task") -- owns no failure: nobody is handed it
    return live and task.status == "cancelled"
  end
  return live and not (before and before.kind == "timeout" and before.scope == w)
end

return joining
