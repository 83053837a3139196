-- The run's last events, for who asks for them again and again from outside: kept from the first
-- time that somebody asks.
local blocks = require "swarm.structure.blocks"
local cancelling = require "swarm.scope.cancel"
local events = require "swarm.events.run"
local glob = require "swarm.ground.glob"
local list = require "swarm.ground.list"
local S = require "swarm.scheduler.scheduler"
local values = require "swarm.values.values"
local waiting = require "swarm.scope.waiting"
local max, min = math.max, math.min

local recent = {}

local KEPT = 10000
local MOST = 1000 -- in one answer

local kept, first, last = {}, 1, 0
local waiters = { head = nil, tail = nil }
local WAITS = { what = "events of the run" }
local listens = false

local function hear(event)
  last = last + 1
  local copy = values.copy(event, "event")
  copy.seq = last
  kept[last] = copy
  if last - first + 1 > KEPT then
    kept[first] = nil
    first = first + 1
  end
  local w = waiters.head
  while w do
    list.remove(w)
    S.wake(w)
    w = waiters.head
  end
end

---Those above `since` that are selected.
---@param types string[]? patterns; nil: all
---@return table found, number up_to the last that was looked at
local function selected(since, types)
  local found, at = {}, max(since, first - 1)
  while at < last and #found < MOST do
    at = at + 1
    local event = kept[at]
    if types == nil or glob.any(types, event.type) then
      found[#found + 1] = event
    end
  end
  return found, at
end

---The events above a number, in order; waits for one where there is none.
---@param since number? the last that the asker has; nil: from now on
---@param types string[]?
---@param seconds number?
---@return table { events, next, lost? }: `next` is what to ask with, `lost` how many were not kept
function recent.read(since, types, seconds)
  if not listens then
    listens = true
    events.listen(hear)
  end
  since = since and min(since, last) or last
  local lost = max(0, first - 1 - since)
  local found, at = selected(since, types)
  if not found[1] and seconds then
    local me = cancelling.enter()
    blocks.within(seconds, function()
      repeat
        waiting.in_list(me, waiters, WAITS, "subscribe_events")
        found, at = selected(at, types)
      until found[1]
    end)
  end
  return { events = values.array(found), next = at, lost = lost > 0 and lost or nil }
end

return recent
