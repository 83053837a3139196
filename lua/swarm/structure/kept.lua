-- What is kept beside a task's result, so that it is the same where the task runs again: values of
-- swarm.recorded, UUIDs, random numbers, and in main the time.
local again = require "swarm.journal.again"
local arguments = require "swarm.ground.arguments"
local cancelling = require "swarm.scope.cancel"
local clock = require "swarm.ground.clock"
local errors = require "swarm.ground.errors"
local random = require "swarm.ground.random"
local records = require "swarm.journal.records"
local S = require "swarm.scheduler.scheduler"
local values = require "swarm.values.values"
local type = type

local kept = {}

---swarm.recorded(key, fn) → what fn returned, the first time
---@param key string known in the calling worker alone
---@param fn function
function kept.recorded(key, fn)
  if type(key) ~= "string" or key == "" then
    return arguments.wrong('swarm.recorded takes a key first, such as "issue"', key)
  elseif #key > records.MOST_KEY then
    local message = "swarm.recorded: a key has at most " .. records.MOST_KEY .. " bytes"
    return errors.throw("invalid_argument", message .. ", and this one has " .. #key)
  elseif type(fn) ~= "function" then
    return arguments.wrong("swarm.recorded takes a function after its key", fn)
  end
  local me = cancelling.enter()
  cancelling.not_while_loading()
  local task = me.task
  local known, value = again.recorded(task, key)
  if not known then
    value = values.copy((fn()), "value")
    again.record(task, key, value)
  end
  return values.copy(value, "value")
end

---swarm.now(): Unix seconds
function kept.now()
  local me = records.on and S.current
  local task = me and me.task
  if task and task.def == task.def.generation.main then
    return again.same(task, "now", clock.wall)
  end
  return clock.wall()
end

---swarm.uuid()
function kept.uuid()
  local me = records.on and S.current
  if me and records.is_kept(me.task.def) then
    return again.same(me.task, "uuid", random.uuid)
  end
  return random.uuid()
end

---swarm.random(m?, n?)
function kept.random(m, n)
  if records.on then
    return again.random(m, n)
  end
  return random.random(m, n)
end

return kept
