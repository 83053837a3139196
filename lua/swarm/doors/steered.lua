-- What can be asked for from outside beside a worker's own: verb → function(who, params, of) →
-- value. `of` has `param` and `target` of visits.lua.
local blocks = require "swarm.structure.blocks"
local dispatching = require "swarm.structure.dispatching"
local errors = require "swarm.ground.errors"
local kept = require "swarm.people.kept"
local loop = require "swarm.structure.loop"
local questions = require "swarm.people.questions"
local recent = require "swarm.doors.recent"
local record = require "swarm.scheduler.record"
local S = require "swarm.scheduler.scheduler"
local scopes = require "swarm.scope.scope"
local sessions = require "swarm.script.sessions"
local tasks = require "swarm.scope.tasks"
local trace = require "swarm.worker.output.trace"
local types = require "swarm.events.types"
local values = require "swarm.values.values"
local raised = require "swarm.ground.raised"
local verdicts = require "swarm.people.verdicts"

local MOST_QUESTIONS = 1000 -- in one answer

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

---Who answers, or says what a task comes to: a worker by its token, or a person.
local function answerer(who, params, of)
  local by = of.param(params, "by", "string")
  return {
    by = who.task and record.called(who.task) or by or "a person",
    via = of.param(params, "via", "string") or "socket",
    reason = of.param(params, "reason", "string"),
    task = who.task,
  }
end

---Answers a question; without a key, tells which there are beyond the `beyond`-th, and waits for a
---further one for so many seconds.
function methods.answer_query(who, params, of)
  local key = of.param(params, "key", "string")
  if not key then
    local beyond = of.param(params, "beyond", "number") or 0
    local seconds = of.param(params, "wait", "number")
    if seconds then
      blocks.within(seconds, function()
        questions.wait(beyond)
      end)
    end
    local rows = beyond == 0 and kept.rows() or {} -- not asked again yet
    for _, row in ipairs(questions.list(beyond, MOST_QUESTIONS)) do
      rows[#rows + 1] = row
    end
    return { questions = values.array(rows), open = questions.count }
  end
  local value = of.any(params, "value")
  if value == nil then
    return errors.throw("invalid_argument", "an answer needs a value")
  end
  questions.answer(key, value, answerer(who, params, of))
end

function methods.override_verdict(who, params, of)
  local value, ok = of.any(params, "value"), of.param(params, "ok", "boolean")
  verdicts.override(of.target(who, params), value, ok ~= false, answerer(who, params, of))
end

local function mark(verdict)
  return function(who, params, of)
    local value = of.any(params, "value")
    verdicts.mark(of.target(who, params), verdict, value, answerer(who, params, of))
  end
end
methods.mark_pass, methods.mark_blocked = mark "pass", mark "blocked"

function methods.heartbeat(who, params, of)
  sessions.heartbeat(of.target(who, params))
end

function methods.detach_session(who, params, of)
  sessions.detach(of.target(who, params))
end

return methods
