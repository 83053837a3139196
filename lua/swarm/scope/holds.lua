-- What a worker holds in the middle of a call: given back by that call, however it ends, and by
-- whoever ends an abandoned worker (worker/life.lua), whose calls never end.
local record = require "swarm.scheduler.record"

local holds = {}

---@param task table
---@param thing any
---@param release fun(thing: any, ok: boolean)
function holds.add(task, thing, release)
  local extra = record.extra(task)
  local held = extra.holds
  if not held then
    held = {}
    extra.holds = held
  end
  local n = #held
  held[n + 1], held[n + 2] = thing, release
end

---Takes away what was added last.
function holds.drop(task)
  local held = task.extra.holds
  held[#held], held[#held - 1] = nil, nil
end

---Whether a worker holds anything.
function holds.any(task)
  local held = task.extra and task.extra.holds
  return held ~= nil and held[1] ~= nil
end

---Gives back all that a worker holds, the last first.
function holds.release(task)
  local held = task.extra.holds or {}
  for i = #held, 1, -2 do
    held[i](held[i - 1], false)
  end
end

return holds
