-- What a step of an explored program was, in words: who went on, where in the script, and what it
-- had waited for. Workers are named by the order of their making, which is the same in each run.
local clock = require "swarm.ground.clock"
local frames = require "swarm.ground.frames"
local handles = require "swarm.worker.handle"
local invariants = require "swarm.testing.explore.invariants"
local S = require "swarm.scheduler.scheduler"
local concat, format, max = table.concat, string.format, math.max
local tonumber, tostring = tonumber, tostring
local name = invariants.name

local SHOWN_STEPS = 60 -- of the order that fails

local trace = {}

function trace.full_name(watch, w)
  local label = w.def.name and '"' .. w.def.name .. '"' or handles.home(w)
  return name(watch, w) .. (label and " (" .. label .. ")" or "")
end

function trace.what_it_waits_for(watch, w)
  local waiting = w.waiting
  if waiting == nil then
    return "nothing known"
  elseif waiting.id and waiting.status then
    return waiting.id >= watch.first and name(watch, waiting)
      or "a worker outside the program, " .. handles.label(waiting)
  end
  local what = waiting.describe and waiting.describe(waiting) or tostring(waiting.what)
  local text = what:gsub("T%-(%d+)", function(id)
    id = tonumber(id)
    return id >= watch.first and name(watch, id == watch.first and watch.main or { id = id }) or nil
  end)
  return text
end

---@param candidate table? a worker's record; nil: the clock, which fires the next timer
function trace.step(watch, candidate)
  if not candidate then
    local node = S.timer_at(1)
    local scope = node.scope
    local w = node.worker or (scope and (scope.id and scope or scope.worker))
    local what = node.worker and "wakes " or "ends the time of "
    return format("at %g s the clock ", clock.virtual) .. what .. (w and name(watch, w) or "a wait")
  end
  local who = trace.full_name(watch, candidate)
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
