-- How a supervisor's children start: one after the other, each once those before it are ready, and
-- again after a delay where there is one.
--
-- A child's `phase` is "due" (it is to be started, not before `at`), "starting" (it was, and has to
-- be ready by `at`), or nil.
local clock = require "swarm.ground.clock"
local list = require "swarm.ground.list"
local readiness = require "swarm.worker.readiness"
local S = require "swarm.scheduler.scheduler"
local scopes = require "swarm.scope.scope"
local settling = require "swarm.worker.settle"
local spawning = require "swarm.worker.spawn"
local huge, max, min, pcall = math.huge, math.max, math.min, pcall

local starting = {}

local function set_phase(sup, child, phase)
  local before = child.phase and 1 or 0
  child.phase = phase
  sup.unready = sup.unready + (phase and 1 or 0) - before
end

---Something has happened to a child.
local function wake(sup)
  if S.current ~= sup.worker then
    S.ready(sup.worker)
  end
end

---A child has settled: its failure is the supervisor's from now on.
local function child_settled(node, task)
  local sup = node.supervisor
  scopes.own(task)
  list.push_back(sup.ended, node)
  wake(sup)
end

---A child is ready, or will never be.
local function told(sup, child, err)
  if err then
    child.start_error = err
  else
    set_phase(sup, child, nil)
    child.ready_at = clock.monotonic()
  end
  wake(sup)
end

local function start(sup, child)
  child.ready_at, child.start_error, child.early = nil, nil, false
  local _, task =
    spawning.named(sup.block, child.by, child.run, child.input, child.options, child.site)
  child.task = task
  settling.watch(task, child.node)
  local now, seconds = clock.monotonic(), task.def.start_timeout
  if not seconds then
    set_phase(sup, child, nil)
    child.ready_at = now
    return
  end
  set_phase(sup, child, "starting")
  child.at = now + seconds
  readiness.await(task, function(err)
    return told(sup, child, err)
  end)
end

---Starts a child whose turn has come. What cannot start has failed.
local function start_due(sup, child)
  if child.begun then
    child.restarts = child.restarts + 1
  end
  child.begun = true
  local ok, err = pcall(start, sup, child)
  if not ok then
    set_phase(sup, child, nil)
    child.start_error = err
    list.push_back(sup.ended, child.node)
  end
  return ok
end

---Has a child started in its turn.
---@param at number not before this time
function starting.due(sup, child, at)
  child.at = child.phase == "due" and max(child.at, at) or at
  set_phase(sup, child, "due")
end

---Adds a child behind all others, and starts it where none of those is waited for.
---@param by table stands for who named the child: its definition and rights
---@param taken any the place that names it, as site.take has it
function starting.add(sup, child, by, taken)
  child.by, child.site, child.restarts, child.failures = by, taken, 0, 0
  child.node = { child = child, supervisor = sup, settled = child_settled, owns = true }
  if sup.unready > 0 then
    starting.due(sup, child, clock.monotonic())
  else
    start(sup, child)
    child.begun = true
  end
  list.push_back(sup.children, child)
  sup.by_id[child.id] = child
end

---Starts what is due, in order, up to the first child that is waited for.
---@return boolean whether anything was started, or could not be
function starting.begin(sup)
  if sup.unready == 0 then
    return false
  end
  local child, now, begun = sup.children.head, clock.monotonic(), false
  while child do
    if child.phase == "due" and child.at <= now then
      begun = true
      if not start_due(sup, child) then
        break
      end
    end
    if child.phase then
      break
    end
    child = child.queue_next
  end
  return begun
end

---When the next child is to be started, or has not become ready in time; nil: not by time.
---@return number?
function starting.next_time(sup)
  if sup.unready == 0 then
    return nil
  end
  local child, nearest, barred = sup.children.head, huge, false
  while child do
    if child.phase == "starting" or (child.phase == "due" and not barred) then
      nearest = min(nearest, child.at)
    end
    barred = barred or child.phase ~= nil
    child = child.queue_next
  end
  return nearest < huge and nearest or nil
end

---The first child that will not become ready any more.
---@return table? child its `start_error` says why
function starting.late(sup)
  if sup.unready == 0 then
    return nil
  end
  local child, now = sup.children.head, clock.monotonic()
  while child do
    if child.phase == "starting" and (child.start_error or child.at <= now) then
      readiness.forget(child.task)
      child.start_error = child.start_error or readiness.late(child.task.def)
      return child
    end
    child = child.queue_next
  end
end

---A child is waited for no longer: it has ended, or is being stopped.
---@return boolean was_starting
function starting.leave(sup, child)
  local was_starting = child.phase == "starting"
  if was_starting then
    readiness.forget(child.task)
  end
  set_phase(sup, child, nil)
  return was_starting
end

---How long a restart of a child is put off: longer each time, until it has run for a period.
---@return number seconds
function starting.delay(sup, child)
  local backoff, task = sup.backoff, child.task
  if not backoff then
    return 0
  end
  if child.ready_at and task.since - child.ready_at >= sup.limit.period then
    child.failures = 0
  end
  child.failures = child.failures + 1
  local seconds = backoff.first * backoff.factor ^ (child.failures - 1)
  return seconds < backoff.max and seconds or backoff.first > 0 and backoff.max or 0
end

return starting
