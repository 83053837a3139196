-- The tasks that Python waits for: held by id until Python releases them, so that it can ask how
-- each is and how it ended. A failure that it never asks for is nobody's, and is logged.
local cancelling = require "swarm.scope.cancel"
local ends = require "swarm.scope.ends"
local json = require "swarm.values.json"
local log = require "swarm.events.log"
local raised = require "swarm.ground.raised"
local record = require "swarm.scheduler.record"
local settling = require "swarm.worker.settle"
local tails = require "swarm.worker.output.tail"
local text_of = json.text_of
local values = require "swarm.values.values"

local held = {}

local tasks = {} -- by id
local unasked = {} -- id → true while Python has not asked how it ended
local settled, settled_n = {}, 0 -- ids that have settled since the last take

---Nobody has asked how a task of the outside's ended: a failure is told.
function held.tell_unasked(task)
  if task.status == "failed" or task.status == "timeout" then
    log.unowned(task, ends.err(task))
  end
end

local function tell(_, task)
  if not tasks[task.id] then
    return held.tell_unasked(task)
  end
  settled_n = settled_n + 1
  settled[settled_n] = task.id
end

---@param task table
---@return number id
function held.hold(task)
  tasks[task.id], unasked[task.id] = task, true
  settling.watch(task, { settled = tell, queue = false, queue_prev = nil, queue_next = nil })
  return task.id
end

---The task that is held by an id.
---@return table
function held.task(id)
  return tasks[id]
end

---@return boolean live
function held.cancel(id, reason)
  local w = tasks[id] and tasks[id].worker
  if not w then
    return false
  end
  cancelling.cancel(w, { kind = "cancel", reason = reason, scope = w })
  return true
end

---A settled task for Python: its status, its value (a string as bytes, else JSON) and its error.
---@return string status, boolean is_text, string? value, string? error as JSON
function held.outcome(id)
  local task = tasks[id]
  unasked[id] = nil
  local status, err = task.status, ends.err(task)
  local value = task.value
  local is_text = type(value) == "string"
  if value ~= nil and not is_text then
    local ok, text = pcall(json.encode, value, "result", task.extra and task.extra.lossy)
    if ok then
      value = text
    else
      status, value, err = "failed", nil, text
      err.where = err.where or record.home(task)
    end
  end
  return status, is_text, value, err and text_of(raised.plain(err)) or nil
end

---@return string JSON list of events
function held.tail(id, since)
  return text_of(values.array(tails.snapshot(tasks[id], since)))
end

function held.status(id)
  return tasks[id].status
end

---Python no longer needs to know of this task.
---@return boolean says its failure was nobody's, and is told
function held.release(id)
  local task, is_unasked = tasks[id], unasked[id]
  tasks[id], unasked[id] = nil, nil
  if is_unasked then
    held.tell_unasked(task)
  end
  return log.waits()
end

---The ids that have settled since the last call.
function held.take_settled()
  local n = settled_n
  settled_n = 0
  return unpack(settled, 1, n)
end

---Whether ids wait to be taken.
function held.any_settled()
  return settled_n > 0
end

return held
