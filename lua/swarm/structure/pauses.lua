-- Pauses: sleep, yield and checkpoint.
local again = require "swarm.journal.again"
local arguments = require "swarm.ground.arguments"
local cancelling = require "swarm.scope.cancel"
local clock = require "swarm.ground.clock"
local list = require "swarm.ground.list"
local records = require "swarm.journal.records"
local S = require "swarm.scheduler.scheduler"
local waiting = require "swarm.scope.waiting"

-- Where many workers sleep, their stacks are most of what they cost: few slots are used here, and
-- no call of C below them, which takes twenty.
local check_seconds, monotonic = arguments.seconds, clock.monotonic
local root = require("swarm.scope.scope").root
local max, raise, sleep = math.max, cancelling.raise, S.sleep

local KEPT_SECONDS = 1 -- sleeps from here on are kept in the journal

local pauses = {}

-- A sleeping worker is its own timer (scheduler/timers.lua).
local SLEEP = {
  what = "a timer",
  on_cancel = function(_, w)
    if not w.queue then -- else it was woken already
      S.wake_up(w)
      S.wake(w)
    end
  end,
}
local TURN = { what = "its turn" }

---What is to be said after a pause.
local function go_on(me, parked, call)
  if me.scope.cancel then
    cancelling.raise(me)
  elseif not parked then
    waiting.barred(call)
  end
end

---A sleep that goes on, where the run is resumed, until when it was to end.
local function kept_sleep(me, seconds)
  local task = me.task
  local kept = again.sleep(task, seconds)
  local parked
  if kept.order then
    parked = waiting.in_order(me, kept.order, "the end of a sleep, as the journal has it")
  else
    parked = sleep(me, SLEEP, monotonic() + max(0, kept.till - clock.wall()))
  end
  local cause = me.scope.cancel
  if not kept.order and (cause and cause.kind == "timeout" and cause.scope ~= root) then
    again.cut(task, kept)
  elseif not cause and parked and not kept.order then
    again.woke(task, kept)
  end
  return go_on(me, parked, "swarm.sleep")
end

---swarm.sleep(s)
function pauses.sleep(seconds)
  check_seconds(seconds, "swarm.sleep")
  local me = S.current
  if me.scope.cancel then
    raise(me)
  end
  if records.on and seconds >= KEPT_SECONDS then
    return kept_sleep(me, seconds)
  elseif not sleep(me, SLEEP, monotonic() + seconds) then
    return go_on(me, false, "swarm.sleep")
  elseif me.scope.cancel then
    raise(me)
  end
end

---swarm.yield(): everybody else gets a turn
function pauses.yield()
  local me = S.current
  if me.scope.cancel then
    cancelling.raise(me)
  end
  local parked = S.can_park()
  if parked then
    S.later(me)
    parked = S.park_now(me, TURN)
    if me.queue then
      list.remove(me)
    end
  end
  return go_on(me, parked, "swarm.yield")
end

---swarm.checkpoint(): raises where the worker is cancelled, else goes on at once
function pauses.checkpoint()
  local me = S.current
  S.fire_due_timers() -- a loop that only looks here never leaves its turn
  if me.scope.cancel then
    cancelling.raise(me)
  end
end

return pauses
