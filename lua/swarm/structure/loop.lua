-- What a senior does with a run: pauses it, lets it go on, and tells a worker something; and one
-- more attempt for a task that has settled is in dispatching.lua.
local cancelling = require "swarm.scope.cancel"
local errors = require "swarm.ground.errors"
local gate = require "swarm.rights.gate"
local handles = require "swarm.worker.handle"
local pausing = require "swarm.worker.limits.pausing"
local record = require "swarm.scheduler.record"
local S = require "swarm.scheduler.scheduler"
local shown = require "swarm.ground.shown"
local type = type

local loop = { methods = {} }

local MOST = 1000 -- directives that nobody has read

---swarm.pause(), verb pause_loop: until swarm.unpause() no attempt begins.
---@return boolean whether it was not paused yet
function loop.pause()
  cancelling.not_while_loading()
  gate.check(S.current, "pause_loop")
  return pausing.begin()
end

---swarm.unpause(), verb resume_loop.
---@return boolean whether it was paused
function loop.unpause()
  cancelling.not_while_loading()
  gate.check(S.current, "resume_loop")
  return pausing.finish()
end

---swarm.direct(h, text), verb inject_directive: a word to a live worker, which reads it with
---ctx:directives().
function loop.direct(target, text)
  cancelling.not_while_loading()
  gate.check(S.current, "inject_directive")
  local task = handles.task(target, "swarm.direct")
  if type(text) ~= "string" then
    local got = shown.value(text)
    return errors.throw("invalid_argument", "swarm.direct takes a text, and got " .. got)
  elseif record.final[task.status] then
    local message = "worker " .. record.named(task) .. " has settled: nobody reads what it is told"
    return errors.throw("invalid_argument", message)
  end
  local extra = record.extra(task)
  local list = extra.directives or {}
  if #list == MOST then
    local message = "worker %s has not read %d directives: it may never call ctx:directives()"
    return errors.throw("budget_exceeded", message:format(record.named(task), MOST), {
      what = "directives",
    })
  end
  list[#list + 1] = text
  extra.directives = list
end

---ctx:directives(): what the worker was told since it last asked, oldest first.
---@return string[]
function loop.methods.directives(ctx)
  local task = handles.task(ctx, "ctx:directives")
  if S.current.task ~= task then
    local message = "ctx:directives reads what the worker that calls it was told: use your own ctx"
    return errors.throw("invalid_argument", message)
  end
  local extra = task.extra
  local list = extra and extra.directives or {}
  if extra then
    extra.directives = nil
  end
  return list
end

return loop
