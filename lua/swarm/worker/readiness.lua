-- Whether a worker is ready to work: it says so itself (`ctx:ready()`), or it is found out what it
-- prints, or that its port is open. Who started it may wait for that, as a supervisor does; of any
-- other worker nobody wants to know, and all of this does nothing.
local errors = require "swarm.ground.errors"
local record = require "swarm.scheduler.record"
local S = require "swarm.scheduler.scheduler"
local find, format, sub = string.find, string.format, string.sub

local readiness = {}

---Waits for a worker to be ready: `told(err)` is called once, without an error if it is.
---@param task table a live one
---@param told fun(err: table?)
function readiness.await(task, told)
  record.extra(task).on_ready = told
end

---Waits no longer.
function readiness.forget(task)
  record.extra(task).on_ready = nil
end

---@param task table
---@return boolean
function readiness.is_awaited(task)
  local extra = task.extra
  return extra ~= nil and extra.on_ready ~= nil
end

---A worker is ready, or will never be.
---@param task table
---@param err table? why it will never be
function readiness.tell(task, err)
  if readiness.is_awaited(task) then
    local told = task.extra.on_ready
    task.extra.on_ready = nil
    told(err)
  end
end

---Whether a worker is to be told of by its output, and nothing has come of it yet.
---@param task table
---@return boolean
function readiness.wants_lines(task)
  return readiness.is_awaited(task) and task.def.ready ~= nil and task.def.ready.output ~= nil
end

---Looks at a line of a worker's output, of either stream.
---@param task table
---@param text string the line, without its end
function readiness.line(task, text)
  if readiness.wants_lines(task) then
    local ready = task.def.ready
    if find(sub(text, 1, ready.bytes), ready.output) then
      readiness.tell(task)
    end
  end
end

---The error of a worker that was not ready in time.
---@param def table its definition
---@return table err
function readiness.late(def)
  local message = format("it was not ready within %g s: %s", def.start_timeout, def.ready.missing)
  return errors.new("timeout", message, { where = def.where, traceback = "" })
end

---The running worker says that it is ready.
---@param task table whose ctx it says that with
function readiness.say(task)
  if S.current.task ~= task then
    return errors.throw(
      "invalid_argument",
      "ctx:ready says that the worker that calls it is ready, and this is the ctx of worker "
        .. record.title(task)
        .. ": use your own ctx (of what swarm.supervise returned, ready() waits for its children)"
    )
  end
  return readiness.tell(task)
end

return readiness
