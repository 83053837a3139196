-- Events of the run: each is published once, from one place, as one JSON line. Nothing is written
-- where nobody listens: callers look at `events.on` first.
local buffer = require "string.buffer"
local clock = require "swarm.ground.clock"
local json = require "swarm.values.json"
local labels = require "swarm.scheduler.label"

local lines = buffer.new()

local events = { on = false }

---@param kind string such as "task_created"
---@param task table
---@param fields table? further fields
function events.publish(kind, task, fields)
  if task.def.loading then
    return -- a script that loads is no task of the run
  end
  local event = fields or {}
  event.at = clock.wall()
  event.type = kind
  event.task_id = "T-" .. task.id
  local retries = task.extra and task.extra.retries
  event.worker_id = "W-" .. (task.extra and task.extra.worker_id or task.id)
  event.attempt = retries and retries.number or 1
  event.name, event.label = task.def.name, labels.of(task)
  if kind == "task_created" then
    event.input = labels.input_of(task)
  end
  local parent = task.parent
  if parent then
    event.parent = "T-" .. parent.id
  end
  lines:put(json.encode(event, "event", true), "\n")
end

---An event that belongs to no task.
---@param kind string such as "reloaded"
---@param event table its fields
function events.publish_run(kind, event)
  event.at, event.type = clock.wall(), kind
  lines:put(json.encode(event, "event", true), "\n")
end

---The lines since the last call.
---@return string
function events.take()
  return lines:get()
end

function events.waits()
  return #lines > 0
end

return events
