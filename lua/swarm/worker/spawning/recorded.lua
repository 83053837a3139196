-- Tasks that are kept in the journal, as they are spawned; and, in a run that is resumed, those
-- that were spawned before: one that had passed ends as it has ended, and does not run.
local again = require "swarm.journal.again"
local budgets = require "swarm.worker.limits.budget"
local clock = require "swarm.ground.clock"
local errors = require "swarm.ground.errors"
local exact = require "swarm.values.exact"
local list = require "swarm.ground.list"
local record = require "swarm.scheduler.record"
local records = require "swarm.journal.records"
local replay = require "swarm.journal.replay"
local settling = require "swarm.worker.settle"
local S = require "swarm.scheduler.scheduler"
local tails = require "swarm.worker.output.tail"
local tally = require "swarm.events.tally"
local format, max = string.format, math.max

local recorded = {}

local NEW = { reused = false, leads = false } -- stands for what the journal does not know

local FUNCTION = "function"

---What a task is known by.
---@return string kind "function" of what has no definition of its own
---@return string name of its definition, or where its function stands
---@return string input with the needs of a node of a graph
---@return boolean same there is nothing else that would have the same text
function recorded.known_by(def, run, input, extra)
  local kind = def.run and def.kind or FUNCTION
  if extra and extra.by_input then
    input = { node = extra.key, input = input, needs = extra.needs }
  end
  return kind, def.name or record.place_of(record.wrapped[run] or run), records.text(input)
end

-- What ends in place of a task that was in flight, where its worker says so.

local function refuse()
  local message = "was in flight as the run broke off, and its on_resume is %q: "
    .. "look what it has done, and resume with --again"
  local err = errors.new("interrupted", format(message, "fail"), { traceback = "" })
  err.refused = true
  return error(err, 0)
end

---What a task runs that was spawned before.
---@param found table
---@return function run
function recorded.instead(def, run, found)
  if found.in_flight and def.on_resume == "fail" then
    return refuse
  end
  return run
end

---A task was spawned that may be one of before.
---@param task table
---@param by table? the task that has spawned it
---@param same boolean as recorded.known_by has it: else its result stands for no other
---@param detached boolean nobody waits for it but the run
---@param found table? of the journal's
function recorded.spawned(task, by, kind, name, input, same, detached, found)
  local extra = task.extra
  if task.def.uses_state or (extra and extra.invoked_by) or not same then
    extra = record.extra(task)
    extra.shared = true
  end
  if not found then
    records.born(task, by, kind, name, input, detached)
    if replay.find and kind ~= FUNCTION then
      record.extra(task).found = NEW
    end
    return
  end
  extra = record.extra(task)
  extra.found = found
  extra.session = again.given(task, "session")
  if found.used then
    tally.used(task, found.used)
    if extra.budget then
      budgets.used(extra.budget, found.used)
    end
  end
end

local WAITS = { what = "what the journal has" }

---Begins a task that was held back.
local function let_begin(task)
  local w = task.worker
  if w and task.status == "pending" and not w.cancel then
    task.extra.found = task.extra.found ~= NEW and task.extra.found or nil
    task.extra.let = true
    w.waiting = nil
    S.later(w)
  end
end

---The turn of a task has come that the journal may know. What it has of ends is told first: only
---what leads to further ones begins meanwhile.
---@return boolean waits it does not begin now
function recorded.begin(w)
  local task = w.task
  local extra = task.extra
  local found = extra.found
  if extra.let or w.cancel or (not found.reused and (found.leads or not replay.waits())) then
    return false
  end
  w.waiting = WAITS
  if found.reused then
    replay.later(found.order, task, recorded.settle)
  else
    replay.last(task, let_begin)
  end
  return true
end

---A settled task begins once more, by swarm.retry.
function recorded.begins_anew(task)
  local extra = record.extra(task)
  extra.lives = (extra.lives or 0) + 1
  extra.let, extra.found = nil, replay.find and replay.life(task, extra.lives) or nil
end

---Ends a task as it has ended before.
function recorded.settle(task)
  local w = task.worker
  if not w or w.cancel then
    return -- it was cancelled meanwhile
  end
  local extra = task.extra
  local tree = again.given(task, "worktree")
  extra.worktree_path = tree and tree.path
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
  local value, status, err = replay.value(found), found.status or "pass", nil
  if status ~= "pass" then
    err = errors.new(found.error.code, found.error.message, found.error)
  elseif extra.tail and not extra.tail.final then
    local final = { type = "final", ok = true, content = tails.content_of(value) }
    extra.tail:append(final, found.at)
    extra.tail.final = { value = value, reason = nil }
  end
  settling.recorded(w, status, value, err)
  local overridden = extra.found.kept and again.recorded_as(task, "override", "last")
  if overridden and overridden.life == (extra.lives or 0) then
    extra.overridden = overridden -- and not by swarm.retry begun anew since
  end
  task.since = task.since - max(0, clock.wall() - found.at) -- it has ended when it has ended
end

return recorded
