-- The end of a worker: how what it returned or raised, what its children did, and what it was
-- cancelled for come to one final status; and the one place where that status is set.
local budgets = require "swarm.worker.limits.budget"
local cancelling = require "swarm.scope.cancel"
local clock = require "swarm.ground.clock"
local ends = require "swarm.scope.ends"
local errors = require "swarm.ground.errors"
local events = require "swarm.events.run"
local idle = require "swarm.scheduler.idle"
local list = require "swarm.ground.list"
local log = require "swarm.events.log"
local raised = require "swarm.ground.raised"
local record = require "swarm.scheduler.record"
local records = require "swarm.journal.records"
local result = require "swarm.worker.result"
local S = require "swarm.scheduler.scheduler"
local scopes = require "swarm.scope.scope"
local slots = require "swarm.worker.limits.slots"
local tails = require "swarm.worker.output.tail"
local tally = require "swarm.events.tally"
local tasks = require "swarm.scope.tasks"
local unowned = require "swarm.events.unowned"
local values = require "swarm.values.values"

local copy, stamp = values.copy, ends.stamp
local CHILDREN = scopes.CHILDREN

local function no_workers()
  return { live = 0, running = 0, pass = 0, blocked = 0, failed = 0, cancelled = 0, timeout = 0 }
end

-- How many workers there are, and how many have ended in each way; and how many of them are of the
-- generation before all others, which only loads scripts: the host's own, of which nobody is told.
local counts, loading = no_workers(), no_workers()

local settling = {
  counts = counts,
  loading = loading,
  again = nil, -- structure/retry.lua: whether a further attempt follows
}

-- Who is told -------------------------------------------------------------------------------------

---Has `node.settled(node, task)` called as the task settles; list.remove(node) takes it back. A
---node with `owns` takes the task's failure upon itself.
---@return boolean whether it is live still
function settling.watch(task, node)
  if not task.worker then
    return false
  end
  local extra = record.extra(task)
  extra.watchers = extra.watchers or { head = nil, tail = nil }
  list.push_back(extra.watchers, node)
  if extra.on_awaited then
    extra.on_awaited()
  end
  return true
end

local function tell_watchers(task, watchers)
  local node = watchers.head
  while node do
    list.remove(node)
    node.settled(node, task)
    node = watchers.head
  end
end

---Whether somebody takes a failure upon itself as it happens.
local function is_owned_at_once(extra, joiners)
  if joiners and (joiners.task or joiners.head) then
    return true
  end
  local node = extra and extra.watchers and extra.watchers.head
  while node and not node.owns do
    node = node.queue_next
  end
  return node ~= nil
end

---Whether who waits for it has said that its failure is nobody's.
local function is_nobodys(extra)
  local node = extra.watchers and extra.watchers.head
  while node and node.owns ~= false do
    node = node.queue_next
  end
  return node ~= nil
end

---Whether anybody waits for a task's end.
---@param task table a live one
function settling.is_awaited(task)
  local joiners, extra = task.worker.joiners, task.extra
  return (joiners and (joiners.task or joiners.head))
    or (extra and extra.watchers and extra.watchers.head)
end

-- The end -----------------------------------------------------------------------------------------

---A worker belongs to its generation no longer; a retired one is done with after its last.
function settling.leave_generation(generation)
  if generation.retired then
    generation.live = generation.live - 1
    if generation.live == 0 then
      generation.on_drained(generation)
    end
  end
end

---Writes down how an attempt ended, and gives back what only a running worker has.
function settling.end_attempt(w, status, value, err)
  local task, begun = w.task, w.co ~= nil
  local extra = task.extra
  local now = clock.monotonic()
  if begun and task.since and now - task.since >= tally.slow_at then
    tally.took(task, status, now - task.since)
  end
  task.status, task.value, task.since = status, value, now
  if err then
    extra = extra or record.extra(task)
    extra.err = err
  end
  w.co = nil
  if begun then
    counts.running = counts.running - 1
    if task.def.generation.number == 0 then
      loading.running = loading.running - 1
    end
  end
  if begun and extra and extra.budget then
    budgets.leave(task)
  end
  if task.def.slots then
    slots.leave(w, task.def.slots, begun)
  end
  if w.queue then
    list.remove(w)
  end
  w.waiting = nil
  if events.on and begun then
    tails.complete(task)
    events.publish("task_attempt_completed", task, { status = status })
  end
end

---A failure: its owner keeps it until somebody takes it, and is cancelled where one is enough.
local function tell_owner(owner, task, err, joiners)
  local extra = task.extra
  if not extra.owned then
    scopes.keep_failed(owner, task)
    if is_nobodys(extra) then
      log.unowned(task, err)
    elseif not is_owned_at_once(extra, joiners) then
      unowned.failed(task, err, record.worker_of(owner))
    end
  end
  if owner.nursery and not owner.first_error then
    owner.first_error = err
    local reason = "another worker of the scope failed"
    cancelling.cancel(owner, { kind = "sibling", reason = reason, scope = owner })
  end
end

local function drop_alarms(alarm)
  while alarm do
    S.drop_timer(alarm)
    alarm = alarm.following
  end
end

---The one place where a status becomes final, once.
local function settle(w, status, value, err)
  local task = w.task
  local def, extra = task.def, task.extra
  if extra and extra.deadline then
    cancelling.disarm(w) -- its clock stands still while hooks and retries look at its end
  end
  local alarm = extra and extra.alarms
  if alarm then
    extra.alarms = nil
    drop_alarms(alarm)
  end
  local is_over = extra and extra.found and extra.found.reused -- it does not run: nothing is new
  if def.settled and not is_over then
    def.settled(w, status, value, err or ends.err(task))
  end
  if extra and extra.retries then
    local again
    again, status, value, err = settling.again(w, status, value, err or ends.err(task))
    if again then
      return
    end
    def = task.def
    tally.retried_ended(extra.retries, status)
  end
  extra = task.extra
  if extra and extra.worktree then
    extra.worktree.close(w)
  end
  local listed = extra and extra.listed -- else whoever reads the end lists it, and retires it
  settling.end_attempt(w, status, value, err)
  if status == "cancelled" and not listed then
    tasks.let_go(task)
  end
  task.worker = nil
  counts.live = counts.live - 1
  counts[status] = counts[status] + 1
  if def.generation.number == 0 then
    loading.live = loading.live - 1
    loading[status] = loading[status] + 1
  end

  local owner, joiners = w.owner, w.joiners
  scopes.release(owner, w)
  extra = task.extra
  if status == "blocked" and not def.apart then
    tally.blocked(task, err)
  elseif status == "failed" or status == "timeout" then
    if not def.apart then
      tally.failed(task, err)
    end
    tell_owner(owner, task, err, joiners)
  elseif status == "cancelled" and ends.others(task) and not extra.owned then
    scopes.keep_failed(owner, task) -- it is no failure; what broke below it was one
  end
  if records.on and not is_over then
    records.settled(task, status, value, err)
  end
  if tally.watched then
    tally.settled(task)
  end
  if events.on then
    err = err or ends.err(task)
    events.publish("task_" .. status, task, { reason = err and errors.headline(err) or nil })
  end
  if not owner.first_child then
    local above = owner.task and owner or owner.worker
    if above and above.waiting == CHILDREN and above.scope == owner then
      S.ready(above)
    end
  end
  if joiners then
    if joiners.task then
      S.ready(joiners)
    else
      S.ready_all(joiners)
    end
  end
  if extra then
    if extra.tail then
      tails.settled(task)
    end
    if extra.cancel_waiters then
      S.ready_all(extra.cancel_waiters)
    end
    if extra.watchers then
      tell_watchers(task, extra.watchers)
    end
    if listed then
      tasks.retire(task)
    end
  end
  if def.generation.retired then
    settling.leave_generation(def.generation)
  end
  S.forget(w)
  return idle.give(w)
end

---Ends a worker that has not begun as the journal has it.
function settling.recorded(w, status, value, err)
  return settle(w, status, value, err)
end

---Ends a worker for what it was cancelled for.
---@param others table? list of errors to tell of beside that
---@param untaken table? more of them
local function settle_cancelled(w, cause, others, untaken)
  local task = w.task
  if cause.kind == "mark" and cause.scope == w then -- a person has said what it comes to
    return settle(w, cause.verdict, cause.value, cause.err and stamp(task, cause.err))
  end
  if cause.kind == "timeout" and cause.scope == w then
    local err = scopes.with_others(ends.by(task, cause, true), others)
    err.abandoned = task.extra.abandoned
    return settle(w, "timeout", nil, scopes.with_others(err, untaken))
  end
  ends.keep(task, cause)
  local extra, err = task.extra, nil
  if others or untaken or extra.abandoned then
    err = scopes.with_others(ends.err(task), others)
    err.abandoned = extra.abandoned
    err = scopes.with_others(err, untaken)
  end
  return settle(w, "cancelled", nil, err)
end

---Ends a worker of the host's own that has not begun, and has nothing left to do.
function settling.unbegun(w)
  return settle(w, "pass", nil, nil)
end

---Ends a worker that was cancelled before it began.
function settling.pending(w, cause)
  local extra = w.task.extra
  if w.task.def.settled or (extra and extra.worktree) then
    if not w.cancel then
      w.cancel = cause
      S.wake(w) -- what comes at the end needs a coroutine: it begins, and ends at once
    end
    return
  end
  return settle_cancelled(w, cause)
end

---What `run` raised or returned, and what its children did, made into an end.
---@param reason table? why it is blocked, as result.reason says it
---@param before boolean it failed before it was cancelled, if it was
function settling.conclude(w, ok, value, reason, before)
  local task, cause = w.task, w.cancel
  local untaken = scopes.unowned(w)
  local abandoned = task.extra and task.extra.abandoned
  if cause then
    local extra = task.extra
    if ok or (extra and errors.same(value, extra.cancelled)) then
      local others = not ok and value.others and raised.crossing(value).others
      return settle_cancelled(w, cause, others or nil, untaken)
    end
    if not before then
      value.cancel_reason = cause.reason -- an error of the clean-up
    end
  end
  if not ok then
    value = raised.crossing(value)
    value.abandoned = abandoned
    return settle(w, "failed", nil, stamp(task, scopes.with_others(value, untaken)))
  end
  if untaken then
    local err = scopes.children_failed(untaken)
    err.traceback = ""
    return settle(w, "failed", nil, stamp(task, err))
  end
  if reason ~= nil then
    local err = result.blocked_error(copy(value, "result"), reason)
    return settle(w, "blocked", value, stamp(task, err))
  end
  return settle(w, "pass", value, nil)
end

return settling
