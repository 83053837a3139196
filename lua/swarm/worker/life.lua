-- The life of a worker, from the beginning of its coroutine to its end; and the coroutines, which
-- are pooled: one that is done waits for the next worker.
local attempts = require "swarm.worker.attempts"
local budgets = require "swarm.worker.limits.budget"
local cancelling = require "swarm.scope.cancel"
local clock = require "swarm.ground.clock"
local closing = require "swarm.worker.closing"
local errors = require "swarm.ground.errors"
local events = require "swarm.events.run"
local gate = require "swarm.rights.gate"
local holds = require "swarm.scope.holds"
local pausing = require "swarm.worker.limits.pausing"
local raised = require "swarm.ground.raised"
local record = require "swarm.scheduler.record"
local recorded = require "swarm.worker.spawning.recorded"
local records = require "swarm.journal.records"
local result = require "swarm.worker.result"
local S = require "swarm.scheduler.scheduler"
local scopes = require "swarm.scope.scope"
local settling = require "swarm.worker.settle"
local slots = require "swarm.worker.limits.slots"
local tally = require "swarm.events.tally"
local values = require "swarm.values.values"

local co_create, co_yield = coroutine.create, coroutine.yield
local type, xpcall = type, xpcall
local copy, from_raised = values.copy, raised.from_raised
local conclude, counts, loading = settling.conclude, settling.counts, settling.loading
local DONE = S.DONE

local life = {}

---Checks what `run` returned, for a worker that nothing stands around: layers have done so else.
---@return boolean ok, any value the value as it crosses, or the error
local function checked(w, value, reason)
  local ok = true
  if w.rights.post_result ~= true and (value ~= nil or reason ~= nil) then
    ok, value = xpcall(gate.refuse, from_raised, w, "post_result")
  end
  return ok, value
end

---A copy of the result, as it crosses.
local function crossing(task, value)
  local ok, copied = xpcall(copy, from_raised, value, "result")
  if not ok then
    copied.where, copied.traceback = record.home(task), ""
  end
  return ok, copied
end

local function finish(w, ok, value, reason)
  local task = w.task
  if not ok and type(value) ~= "table" then
    value = from_raised(value) -- the stack was too full for the handler
  elseif ok and not task.def.wrapped then
    if reason ~= nil then
      reason = result.reason(reason)
    end
    ok, value = checked(w, value, reason)
  end
  local kind = type(value)
  if
    ok
    and kind ~= "nil"
    and kind ~= "string"
    and kind ~= "boolean"
    and not (kind == "number" and value - value == 0)
  then
    ok, value = crossing(task, value)
  end
  w.scope = w
  local extra = task.extra
  if extra and extra.deadline then
    S.fire_due_timers() -- a function that only computes may have run past it
  end
  local before = not ok and not w.cancel -- it failed by itself, whatever comes while it waits
  if w.first_child then
    local why = not ok and "its parent failed: " .. errors.headline(value) or nil
    ok, value = closing.close(w, w, ok, value, why)
  elseif extra and extra.residents then
    scopes.wait_children(w, w)
  end
  return conclude(w, ok, value, reason, before)
end

local function nothing() end

---Brings an abandoned worker to its end from outside: gives back what its calls hold, and
---closes the blocks that are open in it, the innermost first.
local function close_from_outside(w)
  holds.release(w.task)
  local err
  while w.scope ~= w do
    local block = w.scope
    err = err or cancelling.error_of(w)
    closing.close(w, block, false, err, "the worker that they belong to was abandoned")
    block.closed = true
    cancelling.disarm(block)
    w.scope = block.outer
  end
  if not w.cancel then
    return error(err, 0) -- it was only a block of its own that was over
  end
end

---Has a function called before a deadline cancels.
local function before(node, on_late)
  local expire = node.expire
  node.expire = function(self)
    on_late()
    return expire(self)
  end
end

---A worker begins.
---@return function run, function handler, table ctx, any input what it runs, as xpcall takes it
local function begin(w)
  local task = w.task
  local def, extra = task.def, task.extra
  if extra and extra.abandoned then
    return close_from_outside, raised.from_raised, w
  end
  counts.running = counts.running + 1
  if def.generation.number == 0 then
    loading.running = loading.running + 1
  end
  if w.cancel and not def.begins then
    return nothing, from_raised -- cancelled before it began; its settled hooks still run
  end
  if extra and extra.budget then
    local err = budgets.begin(task)
    if err then
      return budgets.refuse, from_raised, err
    end
  end
  task.status, task.since = "running", S.now
  if def.settled then
    record.extra(task).started = clock.wall()
  end
  extra = task.extra
  local seconds = extra and extra.timeout or def.timeout -- a pending one has no clock of its own
  if seconds then
    local node = cancelling.arm(w, seconds, "ran out of time after " .. seconds .. " s")
    if extra and extra.on_late then
      before(node, extra.on_late)
    end
  end
  if tally.watched then
    tally.began(w)
  end
  if records.on then
    records.begun(task)
  end
  if events.on then
    events.publish("task_attempt_started", task)
  end
  return task.run, from_raised, task.handle, task.input
end

-- Coroutines --------------------------------------------------------------------------------------

---What a pooled coroutine does: one worker after another. As few slots as can be lie below what a
---worker runs: where many are parked, their stacks are most of what they cost.
local function body(w)
  while true do
    finish(w, xpcall(begin(w)))
    w = co_yield(DONE)
  end
end

---A pending worker's turn has come.
---@return thread? co nil: not yet
function life.begin(w)
  local task = w.task
  if task.extra then
    if task.extra.found and recorded.begin(w) then
      return nil
    end
    attempts.begin(w)
  end
  if not pausing.admits(w) then
    return nil
  end
  local of = not (task.extra and task.extra.abandoned) and task.def.slots
  if of and not slots.take(w, of) then
    return nil
  end
  local co = S.take_coroutine() or co_create(body)
  w.co = co
  return co
end

return life
