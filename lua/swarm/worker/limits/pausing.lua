-- The pause of a run: while it lasts no attempt begins, whoever has spawned it; what runs goes on.
local list = require "swarm.ground.list"
local S = require "swarm.scheduler.scheduler"

local pausing = {}

local PAUSED = { what = "the end of the run's pause (swarm.unpause)" }
local waiters = { head = nil, tail = nil }
local paused = false

---Whether an attempt may begin now; where not, it waits.
---@param w table its worker
---@return boolean
function pausing.admits(w)
  if w.waiting == PAUSED then
    w.waiting = nil
  end
  local def = w.task.def
  if not paused or w.cancel or def.apart or def.begins then
    return true
  end
  w.waiting = PAUSED
  list.push_back(waiters, w)
  return false
end

---@return boolean whether it was not paused yet
function pausing.begin()
  local was = paused
  paused = true
  return not was
end

---Those that wait begin, in their order.
---@return boolean whether it was paused
function pausing.finish()
  local was = paused
  paused = false
  local w = waiters.head
  while w do
    list.remove(w)
    S.later(w)
    w = waiters.head
  end
  return was
end

return pausing
