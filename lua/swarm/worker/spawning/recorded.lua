-- Tasks that are kept in the journal, as they are spawned; and, in a run that is resumed, those
-- that were spawned before: one that had passed ends as it has ended, and does not run.
local budgets = require "swarm.worker.limits.budget"
local errors = require "swarm.ground.errors"
local exact = require "swarm.values.exact"
local list = require "swarm.ground.list"
local record = require "swarm.scheduler.record"
local records = require "swarm.journal.records"
local replay = require "swarm.journal.replay"
local result = require "swarm.worker.result"
local settling = require "swarm.worker.settle"
local tails = require "swarm.worker.output.tail"
local tally = require "swarm.events.tally"
local format = string.format

local recorded = {}

---What a task is known by: the name of its definition, or where its function stands.
---@return string name, string input
function recorded.known_by(def, run, input)
  return def.name or record.place_of(record.wrapped[run] or run), (records.text(input))
end

-- What ends in place of a task that was in flight, where its worker says so.

local function refuse()
  local message = "was in flight as the run broke off, and its on_resume is %q: "
    .. "look what it has done, and resume with --again"
  local err = errors.new("interrupted", format(message, "fail"), { traceback = "" })
  err.refused = true
  return error(err, 0)
end

local function ask()
  return result.blocked(nil, "it was in flight as the run broke off: resume with --again to run it")
end

---What a task runs that was spawned before.
---@param found table
---@return function run
function recorded.instead(def, run, found)
  if found.in_flight and def.on_resume == "fail" then
    return refuse
  elseif found.in_flight and def.on_resume == "ask" then
    return ask
  end
  return run
end

---A task was spawned that may be one of before.
---@param task table
---@param by table? the task that has spawned it
---@param detached boolean nobody waits for it but the run
---@param found table? of the journal's
function recorded.spawned(task, by, name, input, detached, found)
  if task.def.uses_state then
    record.extra(task).shared = true
  end
  if not found then
    return records.born(task, by, name, input, detached)
  end
  local extra = record.extra(task)
  extra.found = found
  if found.used then
    tally.used(task, found.used)
    if extra.budget then
      budgets.used(extra.budget, found.used)
    end
  end
end

---The turn of a task has come whose end is known.
---@return boolean known
function recorded.begin(w)
  local found = w.task.extra.found
  if not found.reused then
    return false
  end
  w.waiting = { what = "what the journal has of it" }
  replay.later(found.order, w.task, recorded.settle)
  return true
end

---Ends a task as it has ended before.
function recorded.settle(task)
  local w = task.worker
  if not w then
    return -- it was cancelled meanwhile
  end
  local extra = task.extra
  local found = extra.found
  w.waiting = nil
  if extra.retries then
    extra.retries.number = found.attempt
  end
  if w.queue then
    list.remove(w)
  end
  for i = 1, #found.outputs do
    local event = exact.decode(found.outputs[i])
    local at = event.at
    event.seq, event.dropped = nil, nil
    tails.of(task):append(event, at)
    if event.type == "final" then
      extra.tail.final = { value = tails.value_of(event.content), reason = event.reason }
    end
  end
  return settling.recorded(w, replay.value(found))
end

return recorded
