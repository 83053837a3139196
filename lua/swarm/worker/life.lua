-- The life of a worker, from the beginning of its coroutine to its end; and the coroutines, which
-- are pooled: one that is done waits for the next worker.
local attempts = require "swarm.worker.attempts"
local cancelling = require "swarm.scope.cancel"
local clock = require "swarm.ground.clock"
local closing = require "swarm.worker.closing"
local errors = require "swarm.ground.errors"
local events = require "swarm.events.run"
local gate = require "swarm.rights.gate"
local record = require "swarm.scheduler.record"
local result = require "swarm.worker.result"
local S = require "swarm.scheduler.scheduler"
local scopes = require "swarm.scope.scope"
local settling = require "swarm.worker.settle"
local slots = require "swarm.worker.slots"
local values = require "swarm.values.values"

local co_create, co_yield = coroutine.create, coroutine.yield
local type, xpcall = type, xpcall
local copy, from_raised = values.copy, errors.from_raised
local conclude, counts, loading = settling.conclude, settling.counts, settling.loading
local PARK = S.PARK

local life = {}

local POOL = 4096 -- idle coroutines kept

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

---Runs a worker from its beginning to its end.
local function live(w)
  counts.running = counts.running + 1
  local task = w.task
  local def = task.def
  if def.generation.number == 0 then
    loading.running = loading.running + 1
  end
  if w.cancel and not def.begins then
    return finish(w, true) -- cancelled before it began; its settled hooks still run
  end
  task.status = "running"
  if def.settled then
    record.extra(task).started = clock.wall()
  end
  local extra = task.extra
  local seconds = extra and extra.timeout or def.timeout -- a pending one has no clock of its own
  if seconds then
    cancelling.arm(w, seconds, "ran out of time after " .. seconds .. " s")
  end
  if events.on then
    events.publish("task_attempt_started", task)
  end
  return finish(w, xpcall(task.run, from_raised, task.handle, task.input))
end

-- Coroutines --------------------------------------------------------------------------------------

local pool, pooled = {}, 0

---What a pooled coroutine does: one worker after another.
local function body(w)
  local co = w.co
  while true do
    live(w)
    if pooled == POOL then
      return
    end
    pooled = pooled + 1
    pool[pooled] = co
    w = co_yield(PARK)
  end
end

local function take_coroutine()
  if pooled > 0 then
    local co = pool[pooled]
    pool[pooled] = nil
    pooled = pooled - 1
    return co
  end
  return co_create(body)
end

---A pending worker's turn has come.
---@return thread? co nil: not yet
function life.begin(w)
  local task = w.task
  if task.extra then
    attempts.begin(w)
  end
  local of = task.def.slots
  if of and not slots.take(w, of) then
    return nil
  end
  local co = take_coroutine()
  w.co = co
  return co
end

return life
