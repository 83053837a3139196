-- Retries: a task whose attempt has failed is tried again, as its `retries` say. The task stays:
-- who joins it goes on waiting. Each attempt is a worker of its own, with its own id,
-- tail, clock and pipeline, and runs what the name means by then. What is over is kept aside.
local attempts = require "swarm.worker.attempts"
local acting = require "swarm.rights.acting"
local blocks = require "swarm.structure.blocks"
local clock = require "swarm.ground.clock"
local ends = require "swarm.scope.ends"
local errors = require "swarm.ground.errors"
local events = require "swarm.events.run"
local gate = require "swarm.rights.gate"
local pools = require "swarm.worker.limits.pools"
local raised = require "swarm.ground.raised"
local random = require "swarm.ground.random"
local record = require "swarm.scheduler.record"
local recorded = require "swarm.worker.spawning.recorded"
local records = require "swarm.journal.records"
local S = require "swarm.scheduler.scheduler"
local scopes = require "swarm.scope.scope"
local settling = require "swarm.worker.settle"
local shown = require "swarm.ground.shown"
local spawning = require "swarm.worker.spawn"
local tails = require "swarm.worker.output.tail"
local tally = require "swarm.events.tally"
local values = require "swarm.values.values"
local rawequal, type, max, min = rawequal, type, math.max, math.min

local KEPT = 100 -- attempts whose tails are kept, with the last
local ON_SECONDS = 5 -- for the function that decides

-- Deciding ----------------------------------------------------------------------------------------

local REFUSALS = { role_violation = true, rejected_by_middleware = true, invalid_value = true }

local function is_refusal(err)
  if err.refused ~= nil then
    return err.refused
  end
  return REFUSALS[err.code] or false
end

local function delay_of(policy, number)
  local most = policy.max_delay
  if policy.backoff == 0 or most == 0 then
    return 0 -- factor ^ number is infinite some day, and nothing times that is no number
  end
  local delay = min(policy.backoff * policy.factor ^ (number - 1), most)
  return policy.jitter and delay * (0.5 + 0.5 * random.random()) or delay
end

---What a function given as `on` may return.
local function checked(answer, on)
  local kind = type(answer)
  if
    kind == "nil"
    or kind == "boolean"
    or (kind == "number" and answer >= 0 and answer < 1 / 0)
  then
    return answer
  end
  local must = "retries.on must return false, true or a delay in seconds, and returned "
  return errors.throw(
    "invalid_value",
    must .. shown.value(answer),
    { path = "retries.on", where = record.place_of(on) }
  )
end

---What a function given as `on` says, or the error that it raised.
---@return boolean|number|nil again, table? problem
local function ask(w, retries, on, err, number)
  err = raised.crossing(err)
  w.task.extra.ending = true -- a cancel comes too late for this attempt
  w.scope = w
  local what = "retries.on at " .. record.place_of(on)
  local function decide()
    return checked(on(err, number), on)
  end
  local rights = retries.given_by or w.rights
  local ok, answer = acting.as(w, rights, blocks.shielded, what, ON_SECONDS, decide)
  if ok then
    return answer
  elseif rawequal(answer, err) then
    return false -- it let the attempt's error pass: that says no, and nothing else
  end
  return false, raised.crossing(raised.from_raised(answer))
end

---Seconds until a usage limit is over, or nil where the error says none, or too many.
local function until_over(policy, err)
  local at = type(err.retry_at) == "number" and err.retry_at or clock.wall()
  local delay = max(at - clock.wall(), 0)
  return delay <= policy.max_wait and delay or nil
end

---Whether an attempt that ended so is followed by another, and after how many seconds.
---@return number? delay, table? problem what `on` raised
local function delay_before_next(w, retries, status, err)
  local policy, on = retries.policy, retries.policy.on
  if status == "cancelled" or status == "pass" or is_refusal(err) then
    return nil
  elseif retries.number - retries.limited > policy.max or retries.stopped or w.owner.cancel then
    return nil
  end
  local again, problem
  if type(on) == "function" then
    again, problem = ask(w, retries, on, err, retries.number)
  else
    again = on[err.code] or err.code ~= "limited" and on[status]
  end
  if not again or retries.stopped or w.owner.cancel then
    return nil, problem
  end
  if type(again) == "number" then
    return again
  elseif err.code == "limited" then
    return until_over(policy, err)
  end
  return delay_of(policy, retries.number)
end

-- The next attempt --------------------------------------------------------------------------------

-- What a task waits for between two attempts.
local BACKOFF = { what = "its next attempt" }

---Keeps what is left of the attempt that has just ended.
local function keep_aside(task, retries)
  retries.past[retries.number] = {
    def = task.def,
    status = task.status,
    value = task.value,
    since = task.since,
    extra = { err = task.extra.err, tail = task.extra.tail },
  }
  retries.past[retries.number + 1 - KEPT] = nil
end

---Gives a task whose next attempt begins the definition that its name has by now.
local function renew(w, retries)
  local task = w.task
  local old = task.def
  local def = old.name and old.names[old.name] or old
  if def ~= old then
    task.def, task.run = def, def.run
    local before, after = old.generation, def.generation
    if after.retired then
      after.live = after.live + 1
    end
    settling.leave_generation(before)
  end
  local rights, by = def.rights, retries.by
  if not rights then
    rights = by
  elseif rights ~= by and not def.authority then
    rights = rights.cuts[by] or gate.cut(rights, by)
  end
  w.rights = rights
end

local function reset(w, retries)
  local task = w.task
  local extra = task.extra
  task.status, task.value, task.since = "pending", nil, nil
  task.input = values.copy(retries.input, "input")
  w.cancel, w.scope = nil, w
  extra.err, extra.cancelled_for, extra.tail, extra.cancelled = nil, nil, nil, nil
  extra.started, extra.ending, extra.no_slot = nil, nil, nil
  extra.raised_in, extra.swallowing, extra.abandoned, extra.holds = nil, nil, nil, nil
  extra.clean_up_till, extra.came = nil, nil
  retries.number, retries.is_new = retries.number + 1, true
  if not extra.invoked_by then -- one worker runs all invocations
    extra.worker_id = spawning.next_id()
  end
end

---How a task ends that is not tried again. Its error says what its attempts have to say.
---@return boolean again, string status, any value, table? err
local function last_end(task, retries, status, value, err, problem)
  if problem and status == "blocked" then -- a block takes no failure with it
    problem.others, err, status, value = { err }, ends.stamp(task, problem), "failed", nil
  elseif problem then
    scopes.add_other(err, problem)
  end
  local number = retries.number
  if err and number > 1 then
    err.attempts = number
    if status == "cancelled" and err.cause == nil then
      err.cause = retries.past[number - 1].extra.err -- why it was tried again
    end
  end
  return false, status, value, err
end

---Tries a task again where its retries say so.
---@return boolean again, string status, any value, table? err how the task ends where it is not
local function again(w, status, value, err)
  local task = w.task
  local retries = task.extra.retries
  attempts.end_backoff(w, retries) -- it may have been cancelled between two attempts
  local limited = task.extra.pools
    and pools.ended(task, status == "failed" and err or nil)
    and not (retries.stopped or w.owner.cancel)
  local came = limited and (task.extra.came or 0) -- 0: it has never waited
  local delay, problem = limited and 0 or nil, nil
  if not limited then
    delay, problem = delay_before_next(w, retries, status, err)
  end
  if not delay then
    return last_end(task, retries, status, value, err, problem)
  end
  scopes.forget_failed(w) -- the attempt's error has them
  settling.end_attempt(w, status, value, err)
  if task.extra.tail then
    tails.settled(task)
  end
  keep_aside(task, retries)
  if records.on then
    records.attempted(task, retries.number, status, err)
  end
  local reason = errors.headline(err)
  tally.retried(task, retries, reason)
  if events.on then
    events.publish("retry", task, { status = status, delay = delay, reason = reason })
  end
  reset(w, retries)
  if limited then
    retries.limited, task.extra.came = retries.limited + 1, came
  end
  if delay == 0 then
    S.later(w)
  else
    w.waiting = BACKOFF
    retries.timer = S.alarm(w, clock.monotonic() + delay)
  end
  return true
end

-- One more, for who asks -------------------------------------------------------------------------

---A settled task begins one more attempt.
---@param task table
---@param w table its new worker
---@param by table the rights of who asks: a further attempt is what they may start
local function once_more(task, w, by)
  local extra = record.extra(task)
  extra.retries = extra.retries or attempts.new(attempts.NONE, values.copy(task.input, "input"), by)
  local retries = extra.retries
  retries.policy, retries.stopped = attempts.NONE, false -- it alone
  keep_aside(task, retries)
  tally.take_back(task)
  extra.owned, extra.handed, extra.overridden = nil, nil, nil
  if records.on then
    recorded.begins_anew(task)
  end
  reset(w, retries)
end

return { again = again, renew = renew, once_more = once_more }
