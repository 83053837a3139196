-- Pauses: sleep, yield and checkpoint.
local arguments = require "swarm.ground.arguments"
local cancelling = require "swarm.scope.cancel"
local clock = require "swarm.ground.clock"
local list = require "swarm.ground.list"
local S = require "swarm.scheduler.scheduler"
local waiting = require "swarm.scope.waiting"

-- Where many workers sleep, their stacks are most of what they cost: few slots are used here, and
-- no call of C below them, which takes twenty.
local check_seconds, monotonic = arguments.seconds, clock.monotonic
local raise, sleep = cancelling.raise, S.sleep

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

---swarm.sleep(s)
function pauses.sleep(seconds)
  check_seconds(seconds, "swarm.sleep")
  local me = S.current
  if me.scope.cancel then
    raise(me)
  end
  if not sleep(me, SLEEP, monotonic() + seconds) then
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
