-- What can be asked for from outside beside a worker's own: verb → function(who, params, of) →
-- value. `of` has `param` and `target` of visits.lua.
local dispatching = require "swarm.structure.dispatching"
local loop = require "swarm.structure.loop"
local recent = require "swarm.doors.recent"
local S = require "swarm.scheduler.scheduler"
local scopes = require "swarm.scope.scope"
local sessions = require "swarm.script.sessions"
local tasks = require "swarm.scope.tasks"
local trace = require "swarm.worker.output.trace"
local types = require "swarm.events.types"
local values = require "swarm.values.values"
local raised = require "swarm.ground.raised"

local methods = {}

function methods.dispatch_attempt(who, params, of)
  local task = of.target(who, params)
  dispatching.begin(task, who.task and who.task.worker or scopes.root, S.current)
  return { task_id = tasks.task_id(task) }
end

function methods.read_trace(who, params, of)
  local list = trace.trace(of.target(who, params).handle)
  for i = 1, #list do
    local err = list[i].error
    list[i].error = err and raised.plain(err) or nil
    list[i].events = values.array(list[i].events)
  end
  return values.array(list)
end

function methods.subscribe_events(_, params, of)
  local wanted = of.param(params, "types", "table")
  types.check(wanted or {}, "subscribe_events")
  local since, wait = of.param(params, "since", "number"), of.param(params, "wait", "number")
  return recent.read(since, wanted, wait)
end

function methods.pause_loop()
  return { changed = loop.pause() }
end

function methods.resume_loop()
  return { changed = loop.unpause() }
end

function methods.inject_directive(who, params, of)
  loop.direct(of.target(who, params).handle, of.param(params, "text", "string", true))
end

function methods.heartbeat(who, params, of)
  sessions.heartbeat(of.target(who, params))
end

function methods.detach_session(who, params, of)
  sessions.detach(of.target(who, params))
end

return methods
