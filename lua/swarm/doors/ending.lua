-- The end of the run: what is waited for once main has settled, what fails the run whatever main
-- made of it, and the deadlock, when every worker waits and nothing can wake one.
local cancelling = require "swarm.scope.cancel"
local clock = require "swarm.ground.clock"
local errors = require "swarm.ground.errors"
local deadlocks = require "swarm.worker.deadlock"
local failures = require "swarm.events.failures"
local frames = require "swarm.ground.frames"
local held = require "swarm.doors.held"
local picture = require "swarm.doors.picture"
local questions = require "swarm.people.questions"
local pools = require "swarm.worker.limits.pools"
local raised = require "swarm.ground.raised"
local record = require "swarm.scheduler.record"
local S = require "swarm.scheduler.scheduler"
local settling = require "swarm.worker.settle"
local scopes = require "swarm.scope.scope"
local subscriptions = require "swarm.sharing.subscription"
local tally = require "swarm.events.tally"
local text_of = require("swarm.values.json").text_of
local values = require "swarm.values.values"
local root = scopes.root

local format = string.format

local ending = {
  closed_world = false, -- nobody outside can spawn or cancel: silence is a deadlock
  blocked_fails = false, -- tasks that ended blocked fail the run
  waits_for_answers = false, -- a run that only answers can move waits; else it ends
}

local bounded -- main's task: its deadline, if it has one, is the run's, and that timer wakes nobody
local over_in -- seconds that the run has, from over_from on, or nil
local over_from
local run_error -- a deadlock, or the end of its time: fails the run whatever main made of it

local PICTURED = 40 -- rows
local closing = false -- a run that takes work from outside takes no more
local asked -- the questions for whose answers the run has ended
local ran_late -- who was alive as the run's time was over: { live = how many, rows }, or nil

local function look_who_runs()
  ran_late = { live = settling.counts.live - settling.loading.live, rows = picture.rows(PICTURED) }
end

local ended_before = {} -- how many workers had ended in each way when the run began

---How many workers a script has, and how many have ended in each way since the run began.
---@return number live, number running, and how many ended pass, blocked, failed, cancelled, timeout
function ending.counts()
  local all, loading = settling.counts, settling.loading
  local function ended(status)
    return all[status] - loading[status] - (ended_before[status] or 0)
  end
  return all.live - loading.live,
    all.running - loading.running,
    ended "pass",
    ended "blocked",
    ended "failed",
    ended "cancelled",
    ended "timeout"
end

-- The end of the run's time, once main has left others alive.
local late = {
  pos = nil,
  expire = function()
    local reason = "the run ran out of time after " .. over_in .. " s"
    local message = reason .. ", with workers alive that main has detached"
    look_who_runs()
    run_error = run_error or errors.new("timeout", message, { of_run = true })
    cancelling.children(root, { kind = "timeout", reason = reason, scope = root })
  end,
  serves = function()
    return false -- it wakes nobody who waits
  end,
}

---A run begins: what failed one before it in the same host is no matter of this one.
function ending.begin()
  for status in pairs(record.final) do
    ended_before[status] = settling.counts[status] - settling.loading[status]
  end
  run_error, failures.list, ran_late, asked = nil, {}, nil, nil
  S.drop_timer(late)
  tally.begin()
  scopes.forget_failed(root)
end

---@param main table the task whose deadline, if it has one, is the run's
---@param seconds number? which it has
function ending.bounded_by(main, seconds)
  bounded, over_in, over_from = main, seconds, clock.monotonic()
  if seconds then
    record.extra(main).on_late = look_who_runs
  end
end

---Cancels everything that is alive.
function ending.cancel_all(reason)
  cancelling.children(root, { kind = "cancel", reason = reason, scope = root })
  local child = root.first_child
  while child do
    local following = child.sib_next
    if cancelling.loads(child) then
      cancelling.cancel(child, { kind = "cancel", reason = reason, scope = root })
    end
    child = following
  end
end

---Whether nobody is left but workers that load the script anew: no run waits for these.
---@return boolean
function ending.idle()
  local child = root.first_child
  while child and cancelling.loads(child) and not child.cancel do
    child = child.sib_next
  end
  return child == nil
end

local function count_uncancelled()
  local count, child = 0, root.first_child
  while child do
    count = count + ((child.cancel or cancelling.loads(child)) and 0 or 1)
    child = child.sib_next
  end
  return count
end

---Ends the run once main has settled: what is detached is waited for, or cancelled where main
---did not run to completion, or where there is none whose end is the run's.
---@param id number? the worker whose end is the run's
---@return boolean? over nil: a tick is due: somebody was cancelled, or a timer set
function ending.finishing(id)
  local main = id and held.task(id)
  local before, reason = 0, "the run is over"
  if not main then
    before, closing = count_uncancelled(), true
  elseif main.status ~= "pass" and main.status ~= "blocked" then
    before, reason = count_uncancelled(), reason .. ": main " .. main.status
  end
  if main and over_in and not late.pos and not run_error and not ending.idle() then
    S.set_timer(late, over_from + over_in)
    return nil
  end
  if before > 0 then
    cancelling.children(root, { kind = "parent", reason = reason, scope = root })
    if not ending.idle() and count_uncancelled() < before then
      return nil
    end
  end
  if ending.idle() then
    S.drop_timer(late)
    return true
  end
  return false
end

---What there is to tell of the run's tasks, main aside, as JSON: `failed`, `blocked` and `retried`,
---each how `many` there are and the first `tasks`; those that took longest, `slowest`; what was
---`used`; the `worktrees` that stay; who was alive as the run's time was over, `late`: how many
---were `live`, and the `rows` of a picture; and the questions that it waits for, `asked`.
---@return string
function ending.summary()
  return text_of {
    failed = tally.all_failed(bounded),
    blocked = tally.all_blocked(bounded),
    retried = tally.all_retried(bounded),
    slowest = tally.all_slowest(bounded),
    used = tally.all_used(),
    late = ran_late,
    asked = asked,
    worktrees = tally.all_kept(),
  }
end

local function blocked_error()
  local many = ending.blocked_fails and tally.all_blocked(bounded).many or 0
  if many > 0 then
    local message = many .. (many == 1 and " task" or " tasks") .. " ended blocked"
    local own = bounded and bounded.status == "blocked" and bounded.extra.err
    return scopes.with_others(errors.new("blocked", message), own and { own } or nil)
  end
end

---What the run as a whole adds to main's own end: a deadlock, detached failures nobody took, or,
---where that counts, tasks that ended blocked.
---@return string? error as JSON
function ending.run_error()
  local err = run_error
  if not err then
    local unowned = scopes.unowned(root)
    err = unowned and scopes.children_failed(unowned) or failures.list[1]
    err = err and scopes.with_others(err, failures.list) or blocked_error()
  end
  return err and text_of(raised.plain(err)) or nil
end

-- Deadlock by silence -----------------------------------------------------------------------------

local function named(task)
  return "worker " .. record.named(task) .. " (T-" .. task.id .. ")"
end

local DEADLOCK_SHOWN = 20
local ASKED_SHOWN = 20
local LINGERING_SHOWN = 5

---@param with_generation boolean? objects are named with the generation that made them
local function described(w, with_generation)
  local task = w.task
  return {
    name = record.called(task),
    label = record.label(task),
    task_id = "T-" .. task.id,
    waits_for = deadlocks.what_it_waits_for(w, named, with_generation),
    where = w.co and (frames.where(w.co) or record.home(task)) or "(not begun)",
  }
end

local function in_order(a, b)
  return tonumber(a.task_id:sub(3)) < tonumber(b.task_id:sub(3))
end

---Who waits for what, in the order of spawning; and how many more there are.
local function all_waiting()
  local waiting, more, of_two = {}, 0, false
  scopes.each_live(root, function(w)
    of_two = of_two or deadlocks.waits_for_an_older(w)
  end)
  scopes.each_live(root, function(w)
    if #waiting < DEADLOCK_SHOWN then
      waiting[#waiting + 1] = described(w, of_two)
    else
      more = more + 1
    end
  end)
  table.sort(waiting, in_order)
  return waiting, more
end

---Who waits for what, as JSON: for whoever must say why nothing comes to an end.
function ending.waiting()
  return text_of(values.array((all_waiting())))
end

---Whether the run goes on only because of others, and why: "done", main has returned; "timeout" or
---"cancelled", and clean-up takes its time.
local function why_it_lingers()
  if closing then
    return "cancelled"
  elseif not bounded then
    return nil -- no main has begun
  end
  local w, ended = bounded.worker, bounded.status
  if not w then
    return ended ~= "pass" and ended ~= "blocked" and ended or "done"
  elseif w.cancel then
    return w.cancel.kind == "timeout" and "timeout" or "cancelled"
  end
  return w.waiting == scopes.CHILDREN and w.scope == w and "done" or nil
end

---Who is waited for where main is done, or over, and the run is not, as JSON: `why`, how `many`
---they are, and the first `workers` as `waiting` has them. Nil: it is not so.
---@return string?
function ending.lingering()
  local why = why_it_lingers()
  if not why or not root.first_child then
    return nil
  end
  local workers, many = {}, 0
  scopes.each_live(root, function(w)
    if not cancelling.loads(w) and w.waiting ~= scopes.CHILDREN then
      many = many + 1
      if #workers < LINGERING_SHOWN then
        workers[#workers + 1] = described(w)
      end
    end
  end)
  table.sort(workers, in_order)
  return many > 0 and text_of { why = why, many = many, workers = values.array(workers) } or nil
end

---Nothing can go on but what waits for a pool that is parked past what its definition allows: ends
---the run, which may be taken up again later.
local function over_limit(pool)
  run_error = errors.new(
    "limited",
    format("pool %q is at its limit, longer than its park allows: nothing else is left", pool.name),
    { retry_at = pool.retry_at, pool = pool.name, of_run = true }
  )
  local reason = format("pool %q is at its limit", pool.name)
  cancelling.children(root, { kind = "deadlock", reason = reason, scope = root })
end

---Nothing but answers can move the run: it ends, and goes on once they are there.
local function unanswered()
  local many = questions.count
  local message = many == 1 and "a question waits for an answer"
    or many .. " questions wait for an answer"
  run_error = errors.new("unanswered", message, {
    of_run = true,
    many = many,
  })
  asked = questions.list(nil, ASKED_SHOWN, true)
  cancelling.children(root, { kind = "asks", reason = message, scope = root })
end

---Every live worker waits, and nothing outside can wake one: cancels the run.
local function deadlock()
  local pool = pools.over()
  if pool then
    return over_limit(pool)
  end
  local waiting, more = all_waiting()
  local lines = {}
  for i = 1, #waiting do
    local one = waiting[i]
    lines[i] = "  "
      .. one.task_id
      .. " "
      .. one.name
      .. (one.label and " [" .. one.label .. "]" or "")
      .. " at "
      .. one.where
      .. " waits for "
      .. one.waits_for
  end
  if more > 0 then
    lines[#lines + 1] = "  and " .. more .. " more"
  end
  run_error = errors.new(
    "deadlock",
    "deadlock: every worker waits, and nothing can wake one\n" .. table.concat(lines, "\n"),
    { waiting = waiting }
  )
  cancelling.children(root, { kind = "deadlock", reason = "deadlock", scope = root })
end

---In a closed world where nobody is ready and no request is under way: cancels the run unless a
---timer may wake somebody.
---@return boolean whether it did
function ending.if_deadlocked()
  if
    ending.closed_world
    and not S.has_timers(bounded and bounded.extra and bounded.extra.deadline)
    and not run_error
  then
    if questions.count > 0 then
      if ending.waits_for_answers then
        return false
      end
      unanswered()
    elseif not subscriptions.close_all() then
      deadlock()
    end
    return true
  end
  return false
end

return ending
