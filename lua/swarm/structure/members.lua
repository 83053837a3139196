-- What swarm.all and its like are given: a list of handles, task_ids and functions. It is checked
-- whole before anything is started, and a mistake is named by its place in the list.
local Join = require "swarm.worker.join"
local errors = require "swarm.ground.errors"
local handles = require "swarm.worker.handle"
local shown = require "swarm.ground.shown"
local find, format = string.find, string.format
local next, rawget, type, sort = next, rawget, type, table.sort

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
  local n = 0
  for _ in next, list do
    n = n + 1
  end
  for i = 1, n do
    if rawget(list, i) == nil then
      for key in next, list do
        if type(key) ~= "number" or key < 1 or key % 1 ~= 0 then
          return wrong("%s takes a list of %s, and it has the key %s", call, of, shown.value(key))
        end
      end
      return wrong("%s takes a list without holes, and [%d] is nil", call, i)
    end
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

local function record(item, call, i)
  local place = format("%s: list[%d]", call, i)
  if type(item) == "string" and find(item, "^T%-%d+$") or handles.is(item) then
    return handles.record(item, place)
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
  local w = handles.parent(me)
  while w do
    set[w] = true
    w = handles.parent(w)
  end
  return set
end

local function deadlock(...)
  return errors.throw("deadlock", format(...))
end

---Refuses a live worker that cannot settle before `me` does.
---@param check table { call, above, seen, needs_all }
local function check_deadlock(check, me, w, i)
  local call = check.call
  if w == me then
    return deadlock("%s: list[%d] is the caller, who would wait for itself for ever", call, i)
  end
  check.above = check.above or above(me)
  local label = handles.label
  if check.above[w] then
    return deadlock(
      "%s: list[%d] is worker %s, which waits for those below it, and the caller is one of them",
      call,
      i,
      label(w)
    )
  elseif not check.needs_all then
    return
  elseif w.def.slots then
    Join.check_slots(me, w)
  end
  if (w.waiting or handles.parent(w) ~= me) and Join.waits_for(w, me, check.seen) then
    return deadlock(
      "%s: list[%d] is worker %s, which waits for the caller already",
      call,
      i,
      label(w)
    )
  end
end

---Reads a list.
---@param needs_all boolean whether the call goes on only when all have settled
---@return table entries records of workers, and functions
---@return integer n
---@return table? settled places of those that have settled, in the order in which they did
function members.read(list, call, me, needs_all)
  local n = members.check_list(list, call, "handles or functions")
  local entries, settled = {}, nil
  local check = { call = call, above = nil, seen = {}, needs_all = needs_all }
  for i = 1, n do
    local item = rawget(list, i)
    if type(item) ~= "function" then
      item = record(item, call, i)
    end
    entries[i] = item
  end
  for i = 1, n do
    local w = entries[i]
    if type(w) == "table" then
      if w.scope then
        check_deadlock(check, me, w, i)
      else
        settled = settled or {}
        settled[#settled + 1] = i
      end
    end
  end
  if settled then
    sort(settled, function(i, j)
      local a, b = entries[i].deadline, entries[j].deadline -- when each ended
      return a < b or (a == b and i < j)
    end)
  end
  return entries, n, settled
end

return members
