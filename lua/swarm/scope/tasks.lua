-- Tasks by id. A task is listed once somebody has read its id: nobody else can know it. Live ones
-- stay listed; of the settled ones the last RETAINED.
local errors = require "swarm.ground.errors"
local record = require "swarm.scheduler.record"
local S = require "swarm.scheduler.scheduler"
local pairs, tonumber, match = pairs, tonumber, string.match

local tasks = {}

local RETAINED = 10000
local by_id = {}
local settled_ids, settled_next = {}, 1

---The task's id; from now on the calls that take a handle take it too.
function tasks.task_id(task)
  local id = task.id
  if not by_id[id] then
    by_id[id] = task
    record.extra(task).listed = true
    if record.final[task.status] then
      tasks.retire(task)
    end
  end
  return "T-" .. id
end

---A task that has settled keeps its function no longer, and with it a whole generation.
function tasks.let_go(task)
  record.extra(task).home = record.home(task)
  task.run = nil
end

---A listed task has settled: it stays findable until RETAINED others have settled after it.
function tasks.retire(task)
  local id = task.id
  if by_id[id] then
    tasks.let_go(task)
    local old = settled_ids[settled_next]
    if old and not (by_id[old] and by_id[old].worker) then -- it was tried once more, and is live
      by_id[old] = nil
    end
    settled_ids[settled_next] = id
    settled_next = settled_next % RETAINED + 1
  end
end

---With a bare task_id a worker reaches itself and its descendants; an operator reaches all.
local function check_ownership(task, id)
  local me = S.current
  if me.rights.reaches_all or record.is_below(task, me.task) then
    return
  end
  return errors.throw(
    "token_task_mismatch",
    id .. " is not a task of this worker or below it: use the handle that its spawner has",
    { bound = "T-" .. me.task.id, arg = id }
  )
end

---The task of an id that somebody may know, whoever asks; nil where there is none.
---@param text string such as T-7
---@return table?
function tasks.by_id(text)
  local id = match(text, "^T%-(%d+)$")
  return id and by_id[tonumber(id)]
end

---Whether a text is a task's name, or its label.
function tasks.is_called(task, text)
  return task.def.name == text or record.label(task) == text
end

---The last task that is called so, of those whose ids somebody may know.
---@param text string
---@return table?
function tasks.called(text)
  local last
  for id, task in pairs(by_id) do
    if tasks.is_called(task, text) and not (last and last.id > id) then
      last = task
    end
  end
  return last
end

---The task of an id; raises where there is none, or it is not the running worker's to reach. Nil
---where the text is no task_id.
---@param text string
---@param call string the call's name, for the message
---@return table? task
function tasks.find(text, call)
  local id = match(text, "^T%-(%d+)$")
  if not id then
    return nil
  end
  local task = by_id[tonumber(id)]
  if task then
    check_ownership(task, text)
    return task
  end
  return errors.throw("task_not_found", call .. ": there is no task " .. text, { task_id = text })
end

return tasks
