-- Failures that nobody has taken, and when they are told. One that nobody could be about to take is
-- told the moment it happens. But who spawned several and joins them one after the other meets the
-- failure of a later one in its turn: while the worker above runs, or waits for other workers, a
-- failure is held back, until it waits for something else, has ended, or HELD_SECONDS are over.
local clock = require "swarm.ground.clock"
local log = require "swarm.events.log"

local HELD_SECONDS = 5 -- a long join must not keep a failure from people
local HELD_MOST = 100 -- as many as are told one by one

local unowned = {}

local held = {} -- in the order in which they happened: { task, err, above, at }

---Whether a worker may be about to take what failed below it.
local function may_take(above)
  local w = above and above.worker
  if not w or w.cancel then
    return false
  end
  local waiting, queue = w.waiting, w.queue
  return waiting == nil -- it runs
    or (queue and queue.runs) -- or is about to
    or waiting.def ~= nil -- it joins one,
    or waiting.joins ~= nil -- for a time,
    or waiting.some_live ~= nil -- or several
end

---A worker failed and nobody waits for it.
---@param above table? the worker that it belongs to; nil: it is detached
function unowned.failed(task, err, above)
  above = above and above.task
  if not may_take(above) then
    return log.unowned(task, err)
  elseif #held < HELD_MOST then
    held[#held + 1] = { task = task, err = err, above = above, at = clock.monotonic() }
  end
end

---Tells those that are held back for no reason any more: after each turn of the scheduler.
function unowned.look()
  local now, kept = clock.monotonic(), 0
  for i = 1, #held do
    local one = held[i]
    held[i] = nil
    if not one.task.extra.owned then
      if now - one.at < HELD_SECONDS and may_take(one.above) then
        kept = kept + 1
        held[kept] = one
      elseif one.above.worker then
        log.unowned(one.task, one.err)
      end -- else it is in the error of the worker above
    end
  end
end

---When the first that is held back is to be told, on the monotonic clock; nil: none is.
---@return number?
function unowned.due()
  return held[1] and held[1].at + HELD_SECONDS
end

return unowned
