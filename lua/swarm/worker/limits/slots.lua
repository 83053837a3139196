-- The slots of a definition: at most `concurrency` of it run, and it takes its pools (pools.lua)
-- besides: all together, or none. A slot is held from the beginning of an attempt to its end; who
-- waits for one is pending, first come first served.
local list = require "swarm.ground.list"
local pools = require "swarm.worker.limits.pools"
local record = require "swarm.scheduler.record"
local S = require "swarm.scheduler.scheduler"

local slots = {}

-- A worker's `waiting` before it has begun.
local WAITS = { what = "a free slot" }
local GRANTED = { what = "its turn" }
slots.GRANTED = GRANTED

---@param max integer? its concurrency
---@param names string[]? its pools
---@return table? nil: nothing limits it
function slots.new(max, names)
  if max or names then
    return {
      max = max or math.huge,
      names = names,
      waits = names and { what = "a free slot of pool " .. table.concat(names, " and ") } or WAITS,
      pools = nil, -- line: the pools of these names, once its generation has taken over
      active = 0,
      waiters = { head = nil, tail = nil },
    }
  end
end

local function give(of, w)
  of.active = of.active + 1
  if of.pools then
    pools.take(of.pools, w.task)
  end
  list.remove(w)
  w.waiting = GRANTED
  if of.pools then
    S.wake(w) -- of several that begin now the first to wait is the first to run
  else
    S.ready(w)
  end
end

---A worker is about to begin: takes it a slot, or has it wait for one.
---@param w table
---@param of table the slots of its definition
---@return boolean whether it may begin
function slots.take(w, of)
  if w.cancel then
    record.extra(w.task).no_slot = w.waiting ~= GRANTED -- it begins only to end
    if w.waiting == of.waits then
      slots.grant(of) -- it kept its place
    end
  elseif w.waiting == GRANTED then
    w.waiting = nil
  elseif of.pools then
    if of.active >= of.max or not pools.take_at_once(of.pools, w.task) then
      w.waiting = of.waits
      pools.wait(of, w, give)
      return false
    end
    of.active = of.active + 1
  elseif of.active >= of.max then
    w.waiting = of.waits
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
  if w.waiting == of.waits and not begun then
    if of.pools and w.queue then
      list.remove(w)
      pools.grant() -- it kept its place
    end
    return
  elseif not (begun or w.waiting == GRANTED) or (extra and extra.no_slot) then
    return -- it never had one
  end
  of.active = of.active - 1
  if extra and extra.pools then
    pools.leave(w.task)
  end
  slots.grant(of)
end

---Gives free slots to who waits longest: nobody can take them in between.
function slots.grant(of)
  if of.pools then
    return pools.grant()
  end
  local following = of.waiters.head
  while following and of.active < of.max do
    give(of, following)
    following = of.waiters.head
  end
end

---The newest generation's numbers and pools hold for who runs and who waits.
---@param shared table
---@param newest table
function slots.follow(shared, newest)
  shared.max, shared.names, shared.pools = newest.max, newest.names, newest.pools
  pools.enlist(shared, give)
  slots.grant(shared)
end

return slots
