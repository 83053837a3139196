-- What a senior says of a task's end: swarm.override puts another result in the place of a settled
-- task's, swarm.mark ends one that waits for an answer.
local cancelling = require "swarm.scope.cancel"
local errors = require "swarm.ground.errors"
local events = require "swarm.events.run"
local gate = require "swarm.rights.gate"
local handles = require "swarm.worker.handle"
local questions = require "swarm.people.questions"
local record = require "swarm.scheduler.record"
local records = require "swarm.journal.records"
local result = require "swarm.worker.result"
local S = require "swarm.scheduler.scheduler"
local scopes = require "swarm.scope.scope"
local shared = require "swarm.journal.shared"
local shown = require "swarm.ground.shown"
local tails = require "swarm.worker.output.tail"
local tally = require "swarm.events.tally"
local values = require "swarm.values.values"
local format, type = string.format, type

local verdicts = { getters = {} }

local function wrong(message, ...)
  return errors.throw("invalid_argument", format(message, ...))
end

---Puts another result in the place of a settled task's.
---@param task table
---@param value any a copy of its own
---@param ok boolean
---@param by table { by, via, reason? }
function verdicts.override(task, value, ok, by)
  if not record.final[task.status] then
    local message = "worker %s is %s: only what has settled is overridden (swarm.mark ends a task "
      .. "that waits for an answer)"
    return wrong(message, record.named(task), task.status)
  end
  scopes.own(task)
  shared.ask(task)
  local extra = record.extra(task)
  local before = extra.overridden
  if not (before and before.ok) then
    tally.take_back(task, before and "blocked" or nil)
  end
  local given = { value = value, ok = ok, by = by.by, via = by.via, reason = by.reason }
  given.life = extra.lives or 0 -- which of those that swarm.retry has begun
  extra.overridden = given
  tails.complete(task)
  tails.record(task, {
    type = "final",
    ok = ok,
    content = tails.content_of(value),
    reason = by.reason,
    by = by.by,
  })
  if not ok then
    tally.blocked(task, { reason = by.reason or "overridden by " .. by.by })
  end
  if records.on and records.is_kept(task.def) then
    records.kept(task, "override", 0, "last", given)
    records.urgent = true
  end
  if events.on then
    events.publish("task_overridden", task, {
      value = values.copy(value, "value"),
      ok = ok,
      by = by.by,
      via = by.via,
      reason = by.reason,
    })
  end
end

---Ends a task that waits for an answer.
---@param verdict "pass"|"blocked"
---@param value any a copy of its own
---@param by table { by, via, reason? }
function verdicts.mark(task, verdict, value, by)
  local found = task.extra and task.extra.found
  if found and found.reused and task.status == verdict then
    return -- the run is resumed, and it was marked before
  elseif not questions.of(task) or task.worker.cancel then
    local message = "worker %s is %s: only a task that waits for an answer can be marked"
    return wrong(message, record.named(task), task.status)
  end
  if events.on then
    local fields = { verdict = verdict, by = by.by, via = by.via, reason = by.reason }
    events.publish("task_marked", task, fields)
  end
  local said = by.reason or "marked " .. verdict .. " by " .. by.by
  local blocked = verdict == "blocked" and result.blocked_error(value, result.reason(said)) or nil
  return cancelling.cancel(task.worker, {
    kind = "mark",
    verdict = verdict,
    value = value,
    err = blocked,
    reason = said,
    scope = task.worker,
  })
end

-- As scripts have them ----------------------------------------------------------------------------

local function by_me(me, reason)
  if reason ~= nil and type(reason) ~= "string" then
    return wrong("a reason is a text, and not %s", shown.value(reason))
  end
  return { by = record.called(me.task), via = "lua", reason = reason }
end

---swarm.override(h, value, ok?, reason?), verb override_verdict
---@param ok boolean? true where it is left out
function verdicts.face_override(target, value, ok, reason)
  cancelling.not_while_loading()
  gate.check(S.current, "override_verdict")
  local task = handles.task(target, "override")
  if ok ~= nil and type(ok) ~= "boolean" then
    return wrong("override takes true or false third, and not %s", shown.value(ok))
  end
  value = values.copy(value, "value")
  return verdicts.override(task, value, ok ~= false, by_me(S.current, reason))
end

---swarm.mark(h, "pass" | "blocked", value?, reason?), verb mark_pass or mark_blocked
function verdicts.face_mark(target, verdict, value, reason)
  cancelling.not_while_loading()
  if verdict ~= "pass" and verdict ~= "blocked" then
    return wrong('mark takes "pass" or "blocked" second, and got %s', shown.value(verdict))
  end
  gate.check(S.current, "mark_" .. verdict)
  local task = handles.task(target, "mark")
  value = values.copy(value, "value")
  return verdicts.mark(task, verdict, value, by_me(S.current, reason))
end

function verdicts.getters.overridden(task)
  return task.extra ~= nil and task.extra.overridden ~= nil
end

return verdicts
