-- How tasks ended, as an error: what it was, and whose it is. That a task was cancelled is worked
-- out once somebody reads it: of many that one cancel ends, few are ever asked.
local errors = require "swarm.ground.errors"
local raised = require "swarm.ground.raised"
local record = require "swarm.scheduler.record"
local site = require "swarm.ground.site"
local tasks = require "swarm.scope.tasks"

local named = record.named
local type = type
local sub = string.sub

local MOST_SAID = 200 -- bytes of what a task has said last

local ends = {}

---Puts onto an error whose it is.
---@param label string? the task's, where it is known
---@return table err
local function stamp(task, err, label)
  -- Whoever reads the error can ask for its task; nobody asks for the loading of a script.
  err.task_id = task.def.generation.number == 0 and "T-" .. task.id or tasks.task_id(task)
  err.traceback = err.traceback or ""
  err.name = record.called(task)
  err.label = label or record.label(task) or err.label
  err.spawned_at = err.spawned_at or site.place(task.site)
  if not err.spawned_at and task.parent then
    -- `return swarm.call(...)` is a tail call: the line that spawned is gone.
    local above = task.parent
    err.spawned_by = err.spawned_by or "worker " .. named(above) .. " (T-" .. above.id .. ")"
  end
  if
    err.where == nil
    and err.code ~= "cancelled"
    and err.code ~= "timeout"
    and err.code ~= "blocked"
  then
    -- `return error(...)` is a tail call: its frame is gone; a function of C has no place.
    err.where = record.home(task) or err.spawned_at
  end
  raised.stamped(err)
  return err
end
ends.stamp = stamp

---What a task has said last of itself, on one line.
---@return string?
local function said_last(task)
  local tail = task.extra and task.extra.tail
  local said = tail and tail.progress
  if not said then
    return nil
  elseif said.stage == "stderr" then
    return sub(said.note, 1, MOST_SAID)
  end
  return sub(said.note and said.stage .. ": " .. said.note or said.stage, 1, MOST_SAID)
end

---A task's end by a cause, as an error.
---@param is_late boolean it was its own time that ran out
---@return table err
function ends.by(task, cause, is_late)
  local label = cause.label or record.label(task)
  local message = "worker "
    .. record.title(task)
    .. (label and " [" or "")
    .. (label or "")
    .. (label and "]" or "")
    .. (is_late and " " or " was cancelled: ")
    .. cause.reason -- in one go: it is another text for each of many
  if is_late then
    return stamp(task, errors.new("timeout", message, { said = said_last(task) }), label)
  end
  local fields = { reason = cause.reason, kind = cause.kind }
  return stamp(task, errors.new("cancelled", message, fields), label)
end

---Keeps what a task was cancelled for, until somebody reads it: of the cause what stays true. What
---it holds besides belongs to who is alive.
function ends.keep(task, cause)
  local told = cause.told
  if not told then
    told = { reason = cause.reason, kind = cause.kind }
    cause.told = told
  end
  if type(task.input) == "table" then -- which may change, and with it the label
    told = { reason = told.reason, kind = told.kind, label = record.label(task) }
  end
  record.extra(task).cancelled_for = told
end

---How a task ended, where that is not `pass`.
---@return table? err
function ends.err(task)
  local extra = task.extra
  local cause = extra and extra.cancelled_for
  if cause then
    extra.err = ends.by(task, cause, false)
    extra.cancelled_for = nil
  end
  return extra and extra.err
end

---What broke below a task that was cancelled.
---@return table? others list of errors
function ends.others(task)
  local err = task.status == "cancelled" and task.extra.err
  return err and err.others or nil
end

return ends
