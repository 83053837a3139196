-- Events of the run: each is published once, from one place. Who wants all of it gets it as JSON
-- lines; who shows a run gets it in short, as entries among those of the log. Nothing is written
-- where nobody listens: callers look at `events.on` first. The audit is told of each before all
-- others, and is no listener: nobody can take it away.
local audit = require "swarm.events.audit"
local buffer = require "string.buffer"
local clock = require "swarm.ground.clock"
local json = require "swarm.values.json"
local labels = require "swarm.scheduler.label"
local log = require "swarm.events.log"
local next, sub, type = next, string.sub, type

local lines = buffer.new()

local MOST_SHOWN = 65536 -- bytes of a piece of output

local events = {
  on = false, -- somebody listens, or there is an audit
  told = false, -- somebody listens: also to what workers say
  whole = false, -- as JSON lines
  shown = false, -- as entries of the log
}

local listeners = {} -- functions that are told each event

local function look()
  events.told = listeners[1] ~= nil or events.whole or events.shown
  events.on = events.told or audit.on
end

---Who wants all that happens.
---@param whole boolean as JSON lines
---@param shown boolean as entries of the log
---@param audited boolean there is an audit
function events.begin(whole, shown, audited)
  events.whole, events.shown, audit.on = whole, shown, audited
  look()
end

---Has a function called with each event, which it may not change.
function events.listen(fn)
  listeners[#listeners + 1] = fn
  look()
end

---Calls it no longer.
function events.unlisten(fn)
  for i = #listeners, 1, -1 do
    if listeners[i] == fn then
      table.remove(listeners, i)
    end
  end
  look()
end

local function tell(event)
  for i = #listeners, 1, -1 do
    listeners[i](event)
  end
end

---What an event of an attempt's output shows of itself.
---@return table? nil: nothing
local function in_short(output)
  local kind = output.type
  if kind == "progress" then
    if output.stage == "stderr" then
      return nil -- of a program, whose output is shown as it comes
    end
    return { type = kind, stage = sub(output.stage, 1, MOST_SHOWN), note = output.note }
  elseif kind == "artifact" then
    return { type = kind, name = output.name }
  elseif kind == "usage" then
    return output
  end
  local chunk = kind == "partial" and output.chunk.value
  return type(chunk) == "string" and { type = kind, text = sub(chunk, 1, MOST_SHOWN) } or nil
end

---Tells an event to who shows the run.
local function show(event)
  local output = event.event
  if output then
    event.event = in_short(output)
  end
  if not output or event.event then
    event.level = "event"
    log.event(event)
  end
end

---@param kind string such as "task_created"
---@param task table
---@param fields table? further fields
function events.publish(kind, task, fields)
  if audit.on then
    audit.event(kind, task, fields)
  end
  if task.def.apart or not events.told then
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
  if events.whole then
    lines:put(json.encode(event, "event", true), "\n")
  end
  if listeners[1] then
    tell(event)
  end
  if events.shown then
    show(event)
  end
end

local function copied(event)
  local copy = {}
  for key, value in next, event do
    copy[key] = value
  end
  return copy
end

---An event that belongs to no task.
---@param kind string such as "reloaded"
---@param event table its fields
function events.publish_run(kind, event)
  if audit.on then
    audit.row(kind, copied(event))
  end
  event.at, event.type = clock.wall(), kind
  if listeners[1] then
    tell(event)
  end
  if events.whole then
    lines:put(json.encode(event, "event", true), "\n")
  end
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
