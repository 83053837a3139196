-- The slots of a definition's `concurrency`: at most so many of it run. A slot is held from the
-- beginning of an attempt to its end; who waits for one is pending, first come first served.
local list = require "swarm.ground.list"
local record = require "swarm.scheduler.record"
local S = require "swarm.scheduler.scheduler"

local slots = {}

local WAITS = { what = "a free slot" } -- a worker's `waiting` before it has begun
local GRANTED = { what = "its turn" }
slots.GRANTED = GRANTED

---@param max integer
function slots.new(max)
  return { max = max, active = 0, waiters = { head = nil, tail = nil } }
end

---A worker is about to begin: takes it a slot, or has it wait for one.
---@param w table
---@param of table the slots of its definition
---@return boolean whether it may begin
function slots.take(w, of)
  if w.cancel then
    record.extra(w.task).no_slot = w.waiting ~= GRANTED -- it begins only to end
  elseif w.waiting == GRANTED then
    w.waiting = nil
  elseif of.active >= of.max then
    w.waiting = WAITS
    list.push_back(of.waiters, w)
    return false
  else
    of.active = of.active + 1
  end
  return true
end

---A worker's attempt is over.
---@param begun boolean whether it had begun
function slots.leave(w, of, begun)
  local extra = w.task.extra
  if not (begun or w.waiting) or w.waiting == WAITS or (extra and extra.no_slot) then
    return -- it never had one
  end
  of.active = of.active - 1
  slots.grant(of)
end

---Gives free slots to who waits longest: nobody can take them in between.
function slots.grant(of)
  local following = of.waiters.head
  while following and of.active < of.max do
    of.active = of.active + 1
    list.remove(following)
    following.waiting = GRANTED
    S.ready(following)
    following = of.waiters.head
  end
end

return slots
