-- swarm.retry: one more attempt of a task that has settled, whatever its retries say. Its handle
-- stays, and tells of the new attempt; what is left of those before is kept as with retries.
local cancelling = require "swarm.scope.cancel"
local errors = require "swarm.ground.errors"
local gate = require "swarm.rights.gate"
local handles = require "swarm.worker.handle"
local record = require "swarm.scheduler.record"
local retry = require "swarm.structure.retry"
local scopes = require "swarm.scope.scope"
local spawning = require "swarm.worker.spawn"
local format = string.format

local dispatching = {}

local function refuse(task, why)
  local message = format("swarm.retry: worker %s %s", record.named(task), why)
  return errors.throw("invalid_argument", message)
end

---Begins one more attempt of a settled task. Verbs dispatch_attempt and start_task.
---@param task table
---@param owner table the scope that it belongs to
---@param me table who asks
function dispatching.begin(task, owner, me)
  gate.check(me, "dispatch_attempt")
  local extra, name = record.extra(task), task.def.name
  if task.worker then
    return refuse(task, "has not settled yet: join it first, or give it retries")
  elseif extra.held_open or extra.invoked_by or extra.supervisor or extra.session_of then
    return refuse(task, "is held open, or supervised: open or start another one")
  elseif task.def == task.def.generation.main then
    return refuse(task, "is the run itself")
  end
  gate.check(me, "start_task", name or "")
  local def = name and task.def.names[name] or not name and task.def
  if not def then
    return refuse(task, "is no longer defined by the script")
  elseif not name and (not task.run or task.def.generation.retired) then
    return refuse(task, "was made from a function that is gone: give it a name")
  end
  task.def, task.run = def, name and def.run or task.run
  local above = record.worker_of(owner)
  local depth = above and above.depth + 1 or 0
  spawning.check_room(depth - 1, 1, 1)
  scopes.own(task) -- how it has ended is known to who asks
  local w = spawning.enlist(task, owner, depth, me.rights)
  retry.once_more(task, w, me.rights)
end

---swarm.retry(h) → h. The new attempt belongs to the scope that asks, as a spawned worker would.
function dispatching.retry(target)
  local me = cancelling.enter()
  cancelling.not_while_loading()
  gate.check(me, "dispatch_attempt")
  local task = handles.task(target, "swarm.retry")
  dispatching.begin(task, me.scope, me)
  return task.handle
end

return dispatching
