-- What a worker has used that is not its own: a channel, an event or a task from outside of it, or
-- swarm.state. What it has returned may depend on that, so its recorded result does not stand for
-- it where the run is resumed; nor does that of any worker between it and who made the thing.
local record = require "swarm.scheduler.record"
local S = require "swarm.scheduler.scheduler"

local shared = {}

local OF_THE_RUN = {} -- stands for who made what nobody alive has made

---The running worker uses a thing.
---@param maker table? the task that made it; nil: the script, as it was loaded
function shared.use(maker)
  local me = S.current
  local task = me and me.task
  if not task or task == maker then
    return
  end
  local mark = maker or OF_THE_RUN
  if task.extra and task.extra.touched == mark then
    return
  end
  record.extra(task).touched = mark
  while task and task ~= maker do
    record.extra(task).shared = true
    task = task.parent
  end
end

---The running worker asks another task how it has ended, or what it has said.
---@param task table
function shared.ask(task)
  local me = S.current
  local above = me and me.task
  if not above or task == above or task.parent == above or record.is_below(task, above) then
    return
  end
  while above and not record.is_below(task, above) do
    record.extra(above).shared = true
    above = above.parent
  end
end

return shared
