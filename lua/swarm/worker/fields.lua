-- What one reads of a handle or a ctx: the fields of a task.
local acting = require "swarm.rights.acting"
local budgets = require "swarm.worker.limits.budget"
local attempts = require "swarm.worker.attempts"
local gate = require "swarm.rights.gate"
local json = require "swarm.values.json"
local operator_kind = require "swarm.worker.spawning.operator_kind"
local output = require "swarm.worker.output.say"
local reading = require "swarm.worker.output.read"
local record = require "swarm.scheduler.record"
local S = require "swarm.scheduler.scheduler"
local tasks = require "swarm.scope.tasks"
local values = require "swarm.values.values"
local setmetatable, type = setmetatable, type

local fields = {}

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

fields.operator_kind = operator_kind.of

---Which of many it is.
fields.label = record.label

function fields.status(task)
  reading.check(task)
  return task.status
end

function fields.generation(task)
  return task.def.generation.number
end

---The worker's own input; others get a copy, its hooks too: it is nobody else's to change, and no
---metatable that the worker puts on it works in other hands.
local function input_of(task)
  return acting.is_itself(S.current, task) and task.input or values.copy(task.input, "input")
end
fields.input = input_of

---The conversation of an agent's.
function fields.session(task)
  return task.extra and task.extra.session
end

---What it has used, with all below it: sums by their names. They can be called too: a handle and
---its ctx are one object, and `ctx:usage{ … }` says what a worker uses.
function fields.usage(task)
  local extra = task.extra
  local sums = values.copy(extra and extra.used or {}, "usage")
  return setmetatable(sums, output.Usage)
end

---What is left for it: amounts by their names, or nil where no budget bounds it.
function fields.budget(task)
  local budget = task.extra and task.extra.budget
  return budget and budgets.all_left(budget)
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
  local input = input_of(task)
  if type(input) == "string" then
    return input
  elseif type(input) == "table" and type(input.prompt) == "string" then
    return input.prompt
  end
  return json.encode(input, "input")
end

---What middleware and its worker keep. Whoever of them has other rights gets a table of its own, a
---copy of what is there by then: what one puts into the table that it holds runs nothing in the
---other. Other workers get a copy that nobody sees.
function fields.meta(task)
  local me = S.current
  local extra = record.extra(task)
  local meta = extra.meta or {}
  if not me or me.task ~= task then
    return values.copy(meta, "meta")
  end
  if extra.meta_of ~= me.rights then
    meta = values.copy(meta, "meta")
  end
  extra.meta, extra.meta_of = meta, me.rights
  return meta
end

return fields
