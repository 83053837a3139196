-- What swarm.all and its like are given: a list of handles, task_ids and functions. It is checked
-- whole before anything is started, and a mistake is named by its place in the list.
local arguments = require "swarm.ground.arguments"
local deadlocks = require "swarm.worker.deadlock"
local errors = require "swarm.ground.errors"
local handles = require "swarm.worker.handle"
local record = require "swarm.scheduler.record"
local shown = require "swarm.ground.shown"
local find, format = string.find, string.format
local rawget, type, sort = rawget, type, table.sort

local members = {}

local function wrong(...)
  return errors.throw("invalid_argument", format(...))
end

---Refuses what is no list, and a list with holes.
---@param list any what an author gave
---@param call string
---@param of string what it holds, such as "items"
---@return integer n
function members.check_list(list, call, of)
  if type(list) == "function" or handles.is(list) then
    local got = type(list) == "function" and shown.value(list) or "a worker's handle"
    return wrong("%s takes a list of %s, and got %s: put braces around it", call, of, got)
  elseif type(list) ~= "table" then
    return wrong("%s takes a list of %s, and got %s", call, of, shown.value(list))
  end
  local n, at, has_hole = arguments.length(list)
  if has_hole then
    return wrong("%s takes a list without holes, and [%d] is nil", call, at)
  elseif not n then
    return wrong("%s takes a list of %s, and it has the key %s", call, of, shown.value(at))
  end
  return n
end

---Refuses a second argument where there is none.
function members.check_no_more(extra, call)
  if extra ~= nil then
    return wrong(
      "%s takes one list and nothing else, and got %s too; swarm.timeout(s, fn) bounds its time",
      call,
      shown.value(extra)
    )
  end
end

local function task_of(item, call, i)
  local place = format("%s: list[%d]", call, i)
  if type(item) == "string" and find(item, "^T%-%d+$") or handles.is(item) then
    return handles.task(item, place)
  end
  return wrong(
    "%s must be a worker's handle, a task_id or a function, and is %s%s",
    place,
    shown.value(item),
    type(item) == "string" and "; swarm.spawn starts a worker by its name" or ""
  )
end

local function above(me)
  local set = {}
  local task = me.task.parent
  while task do
    set[task] = true
    task = task.parent
  end
  return set
end

local function deadlock(...)
  return errors.throw("deadlock", format(...))
end

---Refuses a live task that cannot settle before `me` does.
---@param check table { call, above, seen, needs_all }
local function check_deadlock(check, me, task, i)
  local call = check.call
  if task == me.task then
    return deadlock("%s: list[%d] is the caller, who would wait for itself for ever", call, i)
  end
  check.above = check.above or above(me)
  local named, w = record.named, task.worker
  if check.above[task] then
    return deadlock(
      "%s: list[%d] is worker %s, which waits for those below it, and the caller is one of them",
      call,
      i,
      named(task)
    )
  elseif not check.needs_all then
    return
  elseif task.def.slots then
    deadlocks.check_slots(me, task)
  end
  if (w.waiting or task.parent ~= me.task) and deadlocks.waits_for(w, me, check.seen) then
    return deadlock(
      "%s: list[%d] is worker %s, which waits for the caller already",
      call,
      i,
      named(task)
    )
  end
end

---Reads a list.
---@param needs_all boolean whether the call goes on only when all have settled
---@return table entries tasks and functions
---@return integer n
---@return table? settled places of those that have settled, in the order in which they did
function members.read(list, call, me, needs_all)
  local n = members.check_list(list, call, "handles or functions")
  local entries, settled = {}, nil
  local check = { call = call, above = nil, seen = {}, needs_all = needs_all }
  for i = 1, n do
    local item = rawget(list, i)
    if type(item) ~= "function" then
      item = task_of(item, call, i)
    end
    entries[i] = item
  end
  for i = 1, n do
    local task = entries[i]
    if type(task) == "table" then
      if task.worker then
        check_deadlock(check, me, task, i)
      else
        settled = settled or {}
        settled[#settled + 1] = i
      end
    end
  end
  if settled then
    sort(settled, function(i, j)
      local a, b = entries[i].since, entries[j].since
      return a < b or (a == b and i < j)
    end)
  end
  return entries, n, settled
end

return members
