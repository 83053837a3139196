-- What one reads of a handle or a ctx: the fields of a task.
local acting = require "swarm.rights.acting"
local attempts = require "swarm.worker.attempts"
local gate = require "swarm.rights.gate"
local json = require "swarm.values.json"
local reading = require "swarm.worker.output.read"
local record = require "swarm.scheduler.record"
local S = require "swarm.scheduler.scheduler"
local tasks = require "swarm.worker.tasks"
local values = require "swarm.values.values"
local type = type

local fields = {}

---The running worker's own task.
local function is_own(task)
  local me = S.current
  return me ~= nil and me.task == task
end

function fields.id(task)
  return "W-" .. (task.extra and task.extra.worker_id or task.id)
end

fields.worker_id = fields.id
fields.task_id = tasks.task_id
fields.attempt = attempts.number
fields.role = acting.role_of

function fields.name(task)
  return task.def.name
end

---Which of many it is.
fields.label = record.label

function fields.status(task)
  reading.check(task)
  return task.status
end

function fields.generation(task)
  return task.def.generation.number
end

---The worker's own input; others get a copy, for it is nobody else's to change.
function fields.input(task)
  return is_own(task) and task.input or values.copy(task.input, "input")
end

---How many workers are above it.
function fields.depth(task)
  local depth, above = 0, task.parent
  while above do
    depth, above = depth + 1, above.parent
  end
  return depth
end

function fields.prompt(task)
  gate.check(S.current, "fetch_prompt")
  local input = task.input
  if type(input) == "string" then
    return input
  elseif type(input) == "table" and type(input.prompt) == "string" then
    return input.prompt
  end
  return json.encode(input, "input")
end

function fields.meta(task)
  local extra = record.extra(task)
  extra.meta = extra.meta or {}
  return extra.meta
end

return fields
