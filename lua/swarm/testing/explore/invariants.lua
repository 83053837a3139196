-- What holds after every step of a run, whatever ran in whatever order. Exploration asks after each
-- step of each order; nothing else does, for it looks at everything there is.
--
-- A watch is over the workers made since it began. What it finds is a sentence, or nil.
local handles = require "swarm.worker.handle"
local S = require "swarm.scheduler.scheduler"
local Scope = require "swarm.scope.scope"
local Settle = require "swarm.worker.settle"
local root, counts = Scope.root, Settle.counts
local CHILDREN, GRANTED = Scope.CHILDREN, Settle.GRANTED
local final = handles.final
local pairs, rawequal, type = pairs, rawequal, type

local invariants = {}

---A worker's name within the program: the same in every order in which it is made at that place.
function invariants.name(watch, w)
  if w == watch.main then
    return "the program"
  elseif w.id < watch.first then
    return "a worker outside the program"
  end
  return "worker " .. (w.id - watch.first)
end
local name = invariants.name

---@param main table the record of the program's first worker, just made
---@return table watch
function invariants.watch(main)
  return {
    main = main,
    first = main.id,
    live_before = counts.live - 1,
    running_before = counts.running,
    seen = {},
    known = {}, -- records in the order in which they were seen first
    ended = {}, -- record → its status when it was seen settled first
    value = {},
    live = {}, -- of the last look
    live_n = 0,
    slots = {}, -- of a definition → how many were held before
    held = {}, -- of the last look
  }
end

-- Lists -------------------------------------------------------------------------------------------

---@return string?
local function check_list(watch, list, what)
  local before, w = nil, list.head
  while w do
    if w.queue ~= list then
      return what .. " holds a record that is not in it"
    elseif w.queue_prev ~= before then
      return what .. " is torn"
    elseif w.id and w.status and not w.scope then
      return name(watch, w) .. " has settled and stands in " .. what
    end
    before, w = w, w.queue_next
  end
  return list.tail ~= before and what .. " has lost its end" or nil
end

local function stands_in(list, wanted)
  local w = list.head
  while w and w ~= wanted do
    w = w.queue_next
  end
  return w ~= nil
end

local function is_ready(w)
  return w.queue and w.queue.runs
end

-- The tree ----------------------------------------------------------------------------------------

local collect

---@return string?
local function collect_worker(watch, w)
  if not w.scope or final[w.status] then
    return name(watch, w) .. " has settled and is still somebody's child"
  end
  local n = watch.live_n + 1
  watch.live[n], watch.live_n = w, n
  if not watch.seen[w] then
    watch.seen[w] = true
    watch.known[#watch.known + 1] = w
  end
  local scope = w.scope
  while scope ~= w do
    if scope.worker ~= w or scope.closed then
      return name(watch, w) .. " is in a block that has ended"
    end
    local problem = collect(watch, scope, w)
    if problem then
      return problem
    end
    scope = scope.outer
  end
  return collect(watch, w, w)
end

local function check_failed(watch, scope)
  local before, w = nil, scope.failed
  while w do
    if w.sib_prev ~= before or w.owner ~= scope or w.owned ~= false then
      return "the failed children of a block are torn"
    elseif w.status ~= "failed" and w.status ~= "timeout" and not w.err.others then
      return name(watch, w) .. " stands among the failed and is " .. w.status
    end
    before, w = w, w.sib_next
  end
end

---Looks through the children of a scope, and theirs.
---@return string?
function collect(watch, scope)
  local before, w = nil, scope.first_child
  while w do
    if w.sib_prev ~= before or w.owner ~= scope then
      return "the children of a block are torn at " .. name(watch, w)
    end
    if w.id >= watch.first then
      local problem = collect_worker(watch, w)
      if problem then
        return problem
      end
    end
    before, w = w, w.sib_next
  end
  return check_failed(watch, scope)
end

-- Workers -----------------------------------------------------------------------------------------

---@return string?
local function check_joiners(watch, w)
  local joiners = w.joiners
  if not joiners then
    return nil
  elseif not joiners.id then
    return check_list(watch, joiners, "the joiners of " .. name(watch, w))
  elseif not joiners.scope then
    return name(watch, joiners) .. " has settled and joins " .. name(watch, w) .. " still"
  elseif not joiners.waiting then
    return name(watch, joiners) .. " joins " .. name(watch, w) .. " without waiting"
  end
end

---The lists of who waits for something else of a worker than its end.
---@return string?
local function check_waiters(watch, w)
  local extra, tail, slots = w.extra, w.tail, w.def.slots
  local waiters = extra and extra.cancel_waiters
  return waiters and check_list(watch, waiters, "the list of who waits for a cancel")
    or tail and check_list(watch, tail.followers, "the list of followers")
    or slots and check_list(watch, slots.waiters, "the list of who waits for a slot")
    or nil
end

---Whether a task has a timer between two attempts.
local function waits_for_time(w)
  local retries = w.extra and w.extra.retries
  return retries and retries.timer and retries.timer.pos
end

---@return string?
local function check_live(watch, w)
  local waiting, queue = w.waiting, w.queue
  if queue and not stands_in(queue, w) then
    return name(watch, w) .. " is not in the list that it stands in"
  elseif not w.co and not queue and not waits_for_time(w) then
    return name(watch, w) .. " has not begun and waits for nothing"
  elseif w.status == "running" and not w.co then
    return name(watch, w) .. " runs without a coroutine"
  elseif waiting == CHILDREN and not w.scope.first_child and not is_ready(w) then
    return name(watch, w) .. " waits for children, and there are none"
  elseif waiting and waiting.id and waiting.status and not waiting.scope and not is_ready(w) then
    return name(watch, w) .. " joins " .. name(watch, waiting) .. ", which has settled"
  end
  local owner = w.owner
  local above = owner.id and owner or owner.worker
  if above and not above.scope then
    return name(watch, above) .. " settled before its child " .. name(watch, w)
  end
  return check_joiners(watch, w) or check_waiters(watch, w)
end

local function is_empty(list)
  return not list or list.head == nil
end

---@return string?
local function left_behind(w)
  local extra, tail = w.extra, w.tail
  if w.queue then
    return "stands in a list"
  elseif w.co or w.waiting then
    return "has a coroutine"
  elseif w.joiners then
    return "has joiners"
  elseif w.first_child then
    return "has children"
  elseif type(w.deadline) ~= "number" then
    return "has a timer"
  elseif extra and not (is_empty(extra.watchers) and is_empty(extra.cancel_waiters)) then
    return "is watched"
  elseif extra and not is_empty(extra.residents) then
    return "has residents"
  elseif tail and not is_empty(tail.followers) then
    return "is followed"
  end
end

---@return string?
local function check_settled(watch, w)
  local status = watch.ended[w]
  if not status then
    if not final[w.status] then
      return name(watch, w) .. " is nobody's child and has not settled"
    end
    watch.ended[w], watch.value[w] = w.status, w.value
  elseif status ~= w.status or not rawequal(watch.value[w], w.value) then
    return name(watch, w) .. " ended " .. status .. " and is " .. w.status .. " now"
  end
  local problem = left_behind(w)
  return problem and name(watch, w) .. " has settled and " .. problem
end

-- Timers, slots, counts ---------------------------------------------------------------------------

---@return string?
local function check_timers(watch)
  local i = 1
  local node, when = S.timer_at(1)
  while node do
    local _, above = S.timer_at((i - i % 2) / 2)
    local scope = node.scope
    local w = node.worker or (scope and (scope.id and scope or scope.worker))
    if node.pos ~= i or (above and above > when) then
      return "the heap of timers is out of order"
    elseif (w and not w.scope) or (scope and scope.closed) then
      return "a timer of " .. name(watch, w) .. " is set, which has ended"
    end
    i = i + 1
    node, when = S.timer_at(i)
  end
end

---@return string?
local function check_slots(watch)
  local held = watch.held
  for slots in pairs(watch.slots) do
    held[slots] = 0
  end
  for i = 1, watch.live_n do
    local w = watch.live[i]
    local slots = w.def.slots
    if slots then
      if not watch.slots[slots] then
        watch.slots[slots] = slots.active -- nobody of ours has begun
        held[slots] = 0
      end
      local has_slot = w.waiting == GRANTED or (w.co and not (w.extra and w.extra.no_slot))
      held[slots] = held[slots] + (has_slot and 1 or 0)
      if w.queue == slots.waiters and slots.active < slots.max then
        return name(watch, w) .. " waits for a slot, and one is free"
      end
    end
  end
  for slots, before in pairs(watch.slots) do
    if slots.active ~= before + held[slots] or slots.active > slots.max then
      return slots.active .. " slots are taken, and " .. before + held[slots] .. " workers run"
    end
  end
end

---@return string?
local function check_counts(watch)
  local live, running = counts.live - watch.live_before, 0
  for i = 1, watch.live_n do
    running = running + (watch.live[i].co and 1 or 0)
  end
  if live < watch.live_n then
    return "fewer workers live than before: the program ends only workers of its own"
  elseif live ~= watch.live_n then
    return live .. " workers are counted as live, and " .. watch.live_n .. " are"
  end
  local counted = counts.running - watch.running_before
  if counted ~= running then
    return counted .. " workers are counted as running, and " .. running .. " do"
  end
end

-- All of it ---------------------------------------------------------------------------------------

---After a step.
---@return string? what is broken
function invariants.check(watch)
  watch.live_n = 0
  local problem = collect(watch, watch.main.owner)
  if not problem and watch.main.owner ~= root then
    problem = collect(watch, root)
  end
  local lists = S.run_lists
  for i = 1, #lists do
    problem = problem or check_list(watch, lists[i], "the run list " .. lists[i].name)
  end
  for i = 1, problem and 0 or watch.live_n do
    problem = problem or check_live(watch, watch.live[i])
  end
  local known = watch.known
  for i = 1, problem and 0 or #known do
    if not known[i].scope then
      problem = problem or check_settled(watch, known[i])
    end
  end
  return problem or check_counts(watch) or check_slots(watch) or check_timers(watch)
end

---After the last step of an order: nothing is left.
---@return string? what is broken
function invariants.check_end(watch)
  local problem = invariants.check(watch)
  if problem then
    return problem
  elseif watch.live_n > 0 then
    return name(watch, watch.live[1]) .. " is alive still"
  elseif S.timer_at(1) then
    return "a timer is left, due at " .. S.next_deadline()
  end
  for i = 1, #S.run_lists do
    local w = S.run_lists[i].head
    while w do
      if w.id >= watch.first then
        return name(watch, w) .. " is left in the run list " .. S.run_lists[i].name
      end
      w = w.queue_next
    end
  end
end

return invariants
