-- The audit of a run: who started what, what was refused, asked, answered and overruled, as rows of
-- JSON. The host chains them, and writes them down before anything outside begins that follows from
-- them (host/swarm_host/audit). Inputs and results are not in it: of a task there are its name, its
-- label, its role, and how it ended. No script sees any of it.
local buffer = require "string.buffer"
local clock = require "swarm.ground.clock"
local json = require "swarm.values.json"
local kinds = require "swarm.values.kinds"
local labels = require "swarm.scheduler.label"
local masked = require "swarm.values.masked"
local record = require "swarm.scheduler.record"
local S = require "swarm.scheduler.scheduler"
local values = require "swarm.values.values"
local next, type = next, type
local wall = clock.wall

local FLUSH_AT = 262144 -- bytes gathered before the host is called within a tick

local audit = {
  on = false, -- the run has one
  muted = false, -- what happens is only tried out (exploration)
  flush = nil, -- kernel: hands over what is gathered, now
}

local rows = buffer.new()
local of_layers = buffer.new() -- each after the name of its file

local function room()
  if #rows + #of_layers > FLUSH_AT and audit.flush then
    audit.flush()
  end
end

-- Texts -------------------------------------------------------------------------------------------

---A value without secrets, in what is to be JSON.
local function without_secrets(value)
  local kind = type(value)
  if kind == "string" then
    return masked.text(value)
  elseif kind ~= "table" or value == values.null or kinds.opaque_name(value) then
    return value
  elseif kinds.is_file(value) then
    local path, mime = kinds.file_parts(value)
    return kinds.file(masked.text(path), mime)
  end
  local copied = kinds.is_array(value) and values.array {} or values.object {}
  if value[1] ~= nil then
    copied = {}
  end
  for key, item in next, value do
    copied[type(key) == "string" and masked.text(key) or key] = without_secrets(item)
  end
  return copied
end

---JSON of a value, without secrets, whatever bytes are in it.
local function text_of(value)
  if masked.any() then
    value = without_secrets(value)
  end
  return json.text_of(value)
end

local MOST_KNOWN = 1000
local known, known_count = {}, 0 -- name of a worker or a role → as JSON

local function name_of(name)
  local text = not masked.any() and known[name]
  if not text then
    text = text_of(name)
    if known_count < MOST_KNOWN and not masked.any() then
      known[name], known_count = text, known_count + 1
    end
  end
  return text
end

-- Rows --------------------------------------------------------------------------------------------

---Who acts, where it is nobody of the run: a person, or who has a token.
local function visitor()
  local me = S.current
  local extra = me and me.task and me.task.extra
  return extra and extra.visitor
end

---Something happened that is no event of a task's.
---@param kind string such as "token_minted"
---@param row table its fields, which this may change
function audit.row(kind, row)
  local who = visitor()
  if who then
    row.by = row.by or who.by
    row.token = row.token or who.token
  end
  row.at, row.type = wall(), kind
  rows:put(text_of(row), "\n")
  room()
end

local function created(task)
  local def, w = task.def, task.worker
  local name, label = def.name, labels.own(task)
  rows:put('{"at":', wall())
  local who = visitor()
  if who then
    rows:put(who.by and ',"by":"' .. who.by .. '"' or ',"token":"' .. who.token .. '"')
  elseif not task.parent then
    rows:put ',"by":"host"'
  end
  if label then
    rows:put(',"label":', text_of(label))
  end
  if name then
    rows:put(',"name":', name_of(name))
  end
  if task.parent then
    rows:put(',"parent":"T-', task.parent.id, '"')
  end
  rows:put(',"role":', name_of(w.rights.role), ',"task_id":"T-', task.id, '"')
  if not name and task.run then
    rows:put(',"where":', text_of(record.place_of(record.wrapped[task.run] or task.run)))
  end
  rows:put ',"type":"task_created"}\n'
end

local function ended(kind, task)
  local extra = task.extra
  local retries, err = extra and extra.retries, extra and extra.err
  rows:put('{"at":', wall())
  if retries then
    rows:put(',"attempt":', retries.number)
  end
  if err and err.code then
    rows:put(',"code":', text_of(err.code))
  end
  if err and kind == "task_cancelled" and err.reason then
    rows:put(',"reason":', text_of(err.reason)) -- its message tells of an input in short
  end
  if extra and extra.found and extra.found.reused then
    rows:put ',"reused":true' -- it had passed before the run was resumed
  end
  rows:put(',"task_id":"T-', task.id, '","type":"', kind, '"}\n')
end

local ENDS = {
  task_pass = true,
  task_blocked = true,
  task_failed = true,
  task_cancelled = true,
  task_timeout = true,
}

-- What each end says too, or what workers say: values.
local SAID_ELSEWHERE = {
  task_attempt_started = true,
  task_attempt_completed = true,
  worker_output = true,
}

---An event of a task of the run's, or a refusal of who is none.
---@param kind string
---@param task table
---@param fields table? as events.publish has them
function audit.event(kind, task, fields)
  local apart = task.def.apart
  if SAID_ELSEWHERE[kind] or (apart and kind ~= "refused") then
    return
  elseif kind == "task_created" then
    created(task)
    return room()
  elseif ENDS[kind] then
    ended(kind, task)
    return room()
  end
  local row = {}
  for key, value in next, fields or row do
    row[key] = value
  end
  local extra = task.extra
  row.name = task.def.name
  if not apart then
    row.task_id = "T-" .. task.id
    row.attempt = extra and extra.retries and extra.retries.number
  end
  if kind == "retry" then
    row.reason = nil -- the message of an error, which may tell a value
  end
  return audit.row(kind, row)
end

---Something that a layer writes into a file of its own, where the run has no audit.
---@param file string
---@param kind string
---@param row table its fields, which this may change
function audit.row_of_layer(file, kind, row)
  if not audit.muted then
    row.at, row.type = wall(), kind
    of_layers:put(json.text_of(file), " ", text_of(row), "\n")
    room()
  end
end

---What was gathered since the last call: lines of JSON.
---@return string rows of the run's own
---@return string of_layers each after the name of its file, as JSON, and a blank
function audit.take()
  return rows:get(), of_layers:get()
end

function audit.waits()
  return #rows > 0 or #of_layers > 0
end

return audit
