-- Waiting for workers: join, result, call, cancel. A join that would never end because it closes a
-- cycle is a deadlock at once.
local arguments = require "swarm.ground.arguments"
local clock = require "swarm.ground.clock"
local errors = require "swarm.ground.errors"
local frames = require "swarm.ground.frames"
local gate = require "swarm.rights.gate"
local handles = require "swarm.worker.handle"
local S = require "swarm.scheduler.scheduler"
local Scope = require "swarm.scope.scope"
local shown = require "swarm.ground.shown"
local site = require "swarm.ground.site"
local values = require "swarm.values.values"
local waits = require "swarm.scope.waits"
local W = require "swarm.worker.spawn"

local take_site, FORMAT, LEVELS = site.take, site.FORMAT, site.LEVELS
local type, error = type, error
local copy, raise = values.copy, Scope.raise
local CHILDREN = Scope.CHILDREN

local Join = {}

---Whether `w` cannot settle before `me` does: it waits for me, for an ancestor of mine (who waits
---for its children), for somebody who does, or for children of whom one does.
local function waits_for(w, me, seen)
  if handles.is_below(me, w) then
    return true
  end
  local queue = w.queue
  if seen[w] or (queue and queue.runs) then
    return false -- looked at already, or woken: it waits no longer
  end
  seen[w] = true
  local waiting = w.waiting
  if waiting == CHILDREN then
    local child = w.scope.first_child
    while child do
      if child.waiting and waits_for(child, me, seen) then
        return true
      end
      child = child.sib_next
    end
    return false
  end
  if waiting ~= nil and waiting.some_live then -- a group that needs each of its members
    return waiting.some_live(waiting, function(member)
      return waits_for(member, me, seen)
    end)
  end
  -- A record only where it waits in a join without a timeout.
  return waiting ~= nil
    and waiting.id ~= nil
    and waiting.def ~= nil
    and waits_for(waiting, me, seen)
end
Join.waits_for = waits_for

---A block of `me` is about to wait for its children: the error of one that would wait for ever,
---because a child waits, by way of joins, for `me`.
---@return table? err
function Scope.ring(me, scope)
  local child, seen = scope.first_child, nil
  while child do
    if child.waiting then
      seen = seen or {}
      if waits_for(child, me, seen) then
        local message = "worker "
          .. handles.label(me)
          .. " waits for its child "
          .. handles.label(child)
          .. ", which waits for it"
        return errors.new("deadlock", message, { where = handles.home(me), traceback = "" })
      end
    end
    child = child.sib_next
  end
end

local function needs_held_slot(me, w)
  local def = w.def
  local slots = def.slots
  if not slots or w.status ~= "pending" or slots.active < slots.max then
    return false
  end
  local held, above = 0, me
  while above do
    if above.def == def and above.co then
      held = held + 1
    end
    above = handles.parent(above)
  end
  return held >= slots.max
end

---Refuses a wait for a worker that needs a slot which the workers above it hold.
function Join.check_slots(me, w)
  if needs_held_slot(me, w) then
    return errors.throw(
      "deadlock",
      "worker "
        .. handles.label(w)
        .. " needs one of the "
        .. w.def.slots.max
        .. " slots of its concurrency, and its own ancestors hold them all"
    )
  end
end

local function check_deadlock(me, w)
  if w == me then
    return errors.throw(
      "deadlock",
      "worker " .. handles.label(w) .. " joins itself and would wait for ever"
    )
  end
  Join.check_slots(me, w)
  if waits_for(w, me, {}) then
    return errors.throw(
      "deadlock",
      "worker "
        .. handles.label(me)
        .. " joins worker "
        .. handles.label(w)
        .. ", which waits for it already"
    )
  end
end

local function enlist(w, me)
  local joiners = w.joiners
  if not joiners or (joiners.id and joiners.queue) then -- one that was woken waits no longer
    w.joiners = me
    return
  end
  if joiners.id then
    local list = { head = nil, tail = nil }
    S.push_back(list, joiners)
    w.joiners = list
    joiners = list
  end
  S.push_back(joiners, me)
end

---Waits until `w` has settled. False: the time ran out first.
local function wait_for(me, w, timeout)
  local timer, waiting = nil, w
  if timeout then
    timer = S.alarm(me, clock.monotonic() + timeout)
    waiting = { what = "worker " .. handles.label(w) .. ", for a time" }
  elseif handles.parent(w) ~= me or w.waiting or w.def.slots then
    check_deadlock(me, w)
  end
  local extra = w.extra
  if extra and extra.on_awaited then
    extra.on_awaited() -- it may stay only for as long as nobody waits for its end
  end
  while true do
    enlist(w, me)
    if w.co == nil and w.waiting == nil then
      S.ready(w)
    end
    local parked = S.park(me, waiting)
    if w.joiners == me then
      w.joiners = nil
    elseif me.queue then
      S.remove(me)
    end
    local rang = timer and not timer.pos
    local over = not w.scope or rang or me.scope.cancel or not parked
    if over then
      if timer then
        S.drop_timer(timer)
      end
      if me.scope.cancel then
        raise(me)
      elseif not w.scope then
        return true
      elseif not parked then
        waits.barred("join")
      end
      return false
    end
  end
end

local function settled_record(target, timeout, call, verb)
  local me = S.current
  if me.scope.cancel then
    raise(me)
  end
  if me.rights[verb] ~= true then
    gate.check(me, verb)
  end
  local w = handles.record(target, call)
  if w.scope and not wait_for(me, w, timeout) then
    return nil, w
  end
  return w
end

local JOIN_OPTIONS = { timeout = true }

---swarm.join(h, opts?) → true · nil, err
function Join.join(target, opts)
  local timeout
  if opts ~= nil then
    arguments.options(opts, JOIN_OPTIONS, "join")
    timeout = opts.timeout and arguments.seconds(opts.timeout, "join's option timeout")
  end
  local w, waited = settled_record(target, timeout, "join", "poll_task")
  if not w then
    local message = "worker "
      .. handles.label(waited)
      .. " has not settled within "
      .. timeout
      .. " s"
    return nil,
      errors.new(
        "poll_timeout",
        message,
        { where = frames.where(), traceback = frames.traceback() }
      )
  end
  local status = w.status
  if status == "pass" or status == "blocked" then
    return true
  end
  Scope.own(w)
  return nil, w.err
end

---swarm.result(h) → value · value, err (blocked); raises the error of any other end
function Join.result(target)
  local w = settled_record(target, nil, "result", "poll_task")
  local status, value = w.status, w.value
  if status == "pass" then
    if type(value) == "table" then
      return copy(value, "result")
    end
    return value
  elseif status == "blocked" then
    return copy(value, "result"), w.err
  end
  Scope.own(w)
  return error(w.err, 0)
end

---swarm.call(name, input?, opts?): spawn and result in one
function Join.call(name, input, opts)
  local me = S.current
  local scope = me.scope
  if scope.cancel then
    raise(me)
  end
  return Join.result((W.spawn_into(scope, me, name, input, opts, take_site(FORMAT, LEVELS))))
end

-- Cancelling --------------------------------------------------------------------------------------

local CANCEL_OPTIONS = { wait = true }

---swarm.cancel(h, reason?, opts?) → boolean
function Join.cancel(target, reason, opts)
  Scope.not_while_loading()
  gate.check(S.current, "cancel_task")
  local w = handles.record(target, "cancel")
  if reason ~= nil and type(reason) ~= "string" then
    return errors.throw(
      "invalid_argument",
      "cancel takes a reason that is a string, and got " .. shown.value(reason)
    )
  end
  if opts ~= nil then
    arguments.options(opts, CANCEL_OPTIONS, "cancel")
  end
  local live = w.scope ~= nil and not (w.extra and w.extra.ending)
  if w.scope then
    Scope.cancel(w, { kind = "cancel", reason = reason or "no reason given", scope = w })
  end
  if opts and opts.wait then
    settled_record(target, nil, "cancel", "cancel_task") -- owns no failure: nobody is handed it
    return live and w.status == "cancelled"
  end
  local cause = w.cancel
  return live and not (cause and cause.kind == "timeout" and cause.scope == w)
end

---swarm.mark(h, "pass" | "blocked", value?): ends a task that waits for an answer. Tasks are
---suspended by questions and operators; until a script can ask, every mark is refused.
function Join.mark(target, verdict)
  Scope.not_while_loading()
  if verdict ~= "pass" and verdict ~= "blocked" then
    return errors.throw(
      "invalid_argument",
      'mark takes "pass" or "blocked" second, and got ' .. shown.value(verdict)
    )
  end
  gate.check(S.current, "mark_" .. verdict)
  local w = handles.record(target, "mark")
  return errors.throw(
    "invalid_argument",
    "worker "
      .. handles.label(w)
      .. " is "
      .. w.status
      .. ": only a suspended task, or one that an operator answers, can be marked"
  )
end

return Join
