-- Asking: a worker that asks is suspended until somebody answers, its time runs out, or it is
-- cancelled. What was answered in a run that is resumed is given again in its order.
local again = require "swarm.journal.again"
local cancelling = require "swarm.scope.cancel"
local clock = require "swarm.ground.clock"
local errors = require "swarm.ground.errors"
local events = require "swarm.events.run"
local kept = require "swarm.people.kept"
local log = require "swarm.events.log"
local questions = require "swarm.people.questions"
local raised = require "swarm.ground.raised"
local record = require "swarm.scheduler.record"
local records = require "swarm.journal.records"
local S = require "swarm.scheduler.scheduler"
local scopes = require "swarm.scope.scope"
local standing = require "swarm.scope.standing"
local tasks = require "swarm.scope.tasks"
local waiting = require "swarm.scope.waiting"
local error, format, pcall = error, string.format, pcall

local asking = {}

---Waits as the journal has it: the answer was given, and others were told things before it.
local function wait_in_order(me, order)
  local parked = waiting.in_order(me, order, "the answer that the journal has")
  if me.scope.cancel then
    return cancelling.raise(me)
  elseif not parked then
    return waiting.barred("swarm.ask")
  end
end

---Whether an answer that nobody has looked at yet is one; where not, that is told.
local function fits(me, key, about, answer)
  local ok, value = true, answer.value
  if about.check then
    ok, value = pcall(about.check, value)
  end
  if ok then
    answer.value = value
  elseif not me.scope.cancel then
    local why = errors.headline(raised.from_raised(value))
    log.entry("warn", "the answer to " .. key .. " is no answer: " .. why, nil, me.task)
  end
  return ok
end

---The answer that was given to the same question before.
---@return table? answer
local function known(me, task, n, key, about)
  local asked, answer = again.asked(task, n)
  local same = asked and records.text(asked.about) == records.text(questions.told(about))
  local stands = answer and not (answer.withdrawn or answer.open or answer.masked)
  if same and stands then
    if answer.order then
      wait_in_order(me, answer.order)
      return answer
    elseif fits(me, key, about, answer) then
      return answer
    end
  end
  local given = kept.take(key)
  if same and given and fits(me, key, about, given) then
    return given
  elseif answer or given then
    -- What it came to was of another question, or of another time.
    kept.keep(task, n, { open = true })
  end
end

---The worker is suspended until the question is settled, or its own time is up.
local function suspend(me, task, question, seconds)
  local timer = seconds and S.alarm(me, clock.monotonic() + seconds)
  local status = task.status
  task.status = "suspended"
  standing.begin(me)
  if events.on then
    events.publish("task_suspended", task, { key = question.key })
  end
  local parked, rang
  repeat
    parked = S.park(me, question)
    rang = timer and not timer.pos
  until question.done or rang or me.scope.cancel or not parked
  if timer then
    S.drop_timer(timer)
  end
  standing.finish(me)
  task.status = status
  if events.on then
    events.publish("task_resumed", task, { key = question.key })
  end
  return parked
end

---What a question that nobody has answered comes to.
local function unanswered(me, question, parked, seconds)
  local cause = me.scope.cancel
  if cause then
    if cause.scope ~= scopes.root then
      questions.withdraw(question, cause.reason)
    else
      questions.close(question) -- it stays: whoever resumes the run is asked again, or has answered
    end
    return cancelling.raise(me)
  elseif not parked then
    questions.withdraw(question, "it could not be waited for")
    return waiting.barred("swarm.ask")
  elseif question.about.default ~= nil then
    return questions.settle(question, { value = question.about.default, via = "default" })
  end
  questions.withdraw(question, "timeout")
  local message = "nobody answered %s within %g s: %s"
  local text = format(message, question.key, seconds, question.about.question)
  return errors.throw("timeout", text, { key = question.key, seconds = seconds })
end

---Which of its task's a further question is.
local function number_of(task)
  local extra = record.extra(task)
  extra.asked = (extra.asked or 0) + 1
  return format("%d", extra.asked)
end

---Asks, for the running worker, and waits for the answer.
---@param about table question: a text; to: who is meant; kind: "question", "approval" or "attempt";
---choices, schema, default, show, details: what is shown besides; check: function(value) → value,
---which raises for an answer that does not fit, and may wait; offer: function(question), called
---once it is open; under: what stands in its key for its number
---@param seconds number? until the default counts, or `timeout` is raised
---@return table answer { value, by, via, reason }
function asking.ask(me, about, seconds)
  if not S.can_park() then
    return waiting.barred("swarm.ask")
  end
  local task = me.task
  local n = about.under or number_of(task)
  local key = tasks.task_id(task) .. "." .. n
  local answer = known(me, task, n, key, about)
  if answer then
    return questions.take_up(task, n, key, about, answer)
  end
  local question = questions.open(me, task, n, key, about)
  if about.offer then
    about.offer(question)
  end
  local parked = suspend(me, task, question, seconds)
  if not question.done then
    unanswered(me, question, parked, seconds)
  end
  if question.err then
    return error(question.err, 0)
  elseif me.scope.cancel then
    return cancelling.raise(me)
  end
  return question.answer
end

return asking
