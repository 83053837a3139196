-- What a step of an explored program was, in words: who went on, where in the script, and what it
-- had waited for. Workers are named by the order of their making, which is the same in each run.
local clock = require "swarm.ground.clock"
local deadlock = require "swarm.worker.deadlock"
local frames = require "swarm.ground.frames"
local invariants = require "swarm.testing.explore.invariants"
local record = require "swarm.scheduler.record"
local S = require "swarm.scheduler.scheduler"
local concat, format, max = table.concat, string.format, math.max
local tonumber, tostring = tonumber, tostring
local name = invariants.name

local SHOWN_STEPS = 60 -- of the order that fails

local trace = {}

function trace.full_name(watch, task)
  local label = task.def.name and '"' .. task.def.name .. '"' or record.home(task)
  return name(watch, task) .. (label and " (" .. label .. ")" or "")
end

function trace.what_it_waits_for(watch, w)
  local what = deadlock.what_it_waits_for(w, function(task)
    return task.id >= watch.first and name(watch, task)
      or "a worker outside the program, " .. record.title(task)
  end)
  local text = tostring(what):gsub("T%-(%d+)", function(id)
    id = tonumber(id)
    return id >= watch.first and name(watch, id == watch.first and watch.main or { id = id }) or nil
  end)
  return text
end

---@param candidate table? a worker; nil: the clock, which fires the next timer
function trace.step(watch, candidate)
  if not candidate then
    local node = S.timer_at(1)
    local scope = node.scope
    local w = node.task and node or node.worker or (scope and record.worker_of(scope))
    local what = (node.worker or node.task) and "wakes " or "ends the time of "
    local whose = w and name(watch, w.task) or "a wait"
    return format("at %g s the clock %s%s", clock.virtual, what, whose)
  end
  local who = trace.full_name(watch, candidate.task)
  if not candidate.co then
    return who .. (candidate.cancel and " begins only to end" or " begins")
  end
  local where = frames.where(candidate.co)
  return who
    .. " goes on"
    .. (where and " at " .. where or "")
    .. ", it waited for "
    .. trace.what_it_waits_for(watch, candidate)
end

---The steps of an order, the last of them where there are many.
---@param steps table list of what trace.step said
function trace.order(steps)
  local lines = { "what ran (2/3: the second of three that could):" }
  if #steps > SHOWN_STEPS then
    lines[2] = "        " .. #steps - SHOWN_STEPS .. " steps before"
  end
  for i = max(1, #steps - SHOWN_STEPS + 1), #steps do
    lines[#lines + 1] = steps[i]
  end
  return concat(lines, "\n")
end

return trace
