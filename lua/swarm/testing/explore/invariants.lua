-- What holds after every step of a run, whatever ran in whatever order. Exploration asks after each
-- step of each order; nothing else does, for it looks at everything there is.
--
-- A watch is over the workers made since it began. What it finds is a sentence, or nil.
local ends = require "swarm.scope.ends"
local record = require "swarm.scheduler.record"
local S = require "swarm.scheduler.scheduler"
local scopes = require "swarm.scope.scope"
local settling = require "swarm.worker.settle"
local slots_of = require "swarm.worker.limits.slots"
local root, counts = scopes.root, settling.counts
local CHILDREN, GRANTED = scopes.CHILDREN, slots_of.GRANTED
local final = record.final
local pairs, rawequal = pairs, rawequal

local invariants = {}

---A task's name within the program: the same in every order in which it is made at that place.
function invariants.name(watch, task)
  if task == watch.main then
    return "the program"
  elseif task.id < watch.first then
    return "a worker outside the program"
  end
  return "worker " .. (task.id - watch.first)
end
local name = invariants.name

---@param main table the program's first task, just made
---@return table watch
function invariants.watch(main)
  return {
    main = main,
    owner = main.worker.owner,
    first = main.id,
    live_before = counts.live - 1,
    running_before = counts.running,
    seen = {},
    known = {}, -- tasks in the order in which they were seen first
    ended = {}, -- task → its status when it was seen settled first
    value = {},
    live = {}, -- workers, of the last look
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
      return what .. " holds a worker that is not in it"
    elseif w.queue_prev ~= before then
      return what .. " is torn"
    elseif w.task and w.scope and w.task.worker ~= w then
      return name(watch, w.task) .. " has settled and stands in " .. what
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
  local task = w.task
  if task.worker ~= w or final[task.status] then
    return name(watch, task) .. " has settled and is still somebody's child"
  end
  local n = watch.live_n + 1
  watch.live[n], watch.live_n = w, n
  if not watch.seen[task] then
    watch.seen[task] = true
    watch.known[#watch.known + 1] = task
  end
  local scope = w.scope
  while scope ~= w do
    if scope.worker ~= w or scope.closed then
      return name(watch, task) .. " is in a block that has ended"
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
  local before, node = nil, scope.failed and scope.failed.head
  while node do
    local task = node.task
    local status, extra = task.status, task.extra
    if
      node.queue_prev ~= before
      or node.queue ~= scope.failed
      or extra.unowned ~= node
      or extra.owned
    then
      return "the failed children of a block are torn"
    elseif status ~= "failed" and status ~= "timeout" and not ends.others(task) then
      return name(watch, task) .. " stands among the failed and is " .. status
    end
    before, node = node, node.queue_next
  end
end

---Looks through the children of a scope, and theirs.
---@return string?
function collect(watch, scope)
  local before, w = nil, scope.first_child
  while w do
    if w.sib_prev ~= before or w.owner ~= scope then
      return "the children of a block are torn at " .. name(watch, w.task)
    end
    if w.task.id >= watch.first then
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
  elseif not joiners.task then
    return check_list(watch, joiners, "the joiners of " .. name(watch, w.task))
  elseif joiners.task.worker ~= joiners then
    return name(watch, joiners.task) .. " has settled and joins " .. name(watch, w.task) .. " still"
  elseif not joiners.waiting then
    return name(watch, joiners.task) .. " joins " .. name(watch, w.task) .. " without waiting"
  end
end

---The lists of who waits for something else of a worker than its end.
---@return string?
local function check_waiters(watch, w)
  local extra, slots = w.task.extra, w.task.def.slots
  local waiters, tail = extra and extra.cancel_waiters, extra and extra.tail
  return waiters and check_list(watch, waiters, "the list of who waits for a cancel")
    or tail and check_list(watch, tail.followers, "the list of followers")
    or slots and check_list(watch, slots.waiters, "the list of who waits for a slot")
    or nil
end

---Whether a task has a timer between two attempts.
local function waits_for_time(w)
  local extra = w.task.extra
  local retries = extra and extra.retries
  return retries and retries.timer and retries.timer.pos
end

---@return string?
local function check_live(watch, w)
  local task, waiting, queue = w.task, w.waiting, w.queue
  if queue and not stands_in(queue, w) then
    return name(watch, task) .. " is not in the list that it stands in"
  elseif not w.co and not queue and not waits_for_time(w) then
    return name(watch, task) .. " has not begun and waits for nothing"
  elseif task.status == "running" and not w.co then
    return name(watch, task) .. " runs without a coroutine"
  elseif waiting == CHILDREN and not w.scope.first_child and not is_ready(w) then
    return name(watch, task) .. " waits for children, and there are none"
  elseif waiting and waiting.def and not waiting.worker and not is_ready(w) then
    return name(watch, task) .. " joins " .. name(watch, waiting) .. ", which has settled"
  end
  local above = record.worker_of(w.owner)
  if above and above.task.worker ~= above then
    return name(watch, above.task) .. " settled before its child " .. name(watch, task)
  end
  return check_joiners(watch, w) or check_waiters(watch, w)
end

local function is_empty(list)
  return not list or list.head == nil
end

---@return string?
local function left_behind(task)
  local extra = task.extra
  local tail = extra and extra.tail
  if task.worker then
    return "has a worker"
  elseif not task.since then
    return "has not ended"
  elseif extra and extra.deadline then
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
local function check_settled(watch, task)
  local status = watch.ended[task]
  if not status then
    if not final[task.status] then
      return name(watch, task) .. " is nobody's child and has not settled"
    end
    watch.ended[task], watch.value[task] = task.status, task.value
  elseif status ~= task.status or not rawequal(watch.value[task], task.value) then
    return name(watch, task) .. " ended " .. status .. " and is " .. task.status .. " now"
  end
  local problem = left_behind(task)
  return problem and name(watch, task) .. " has settled and " .. problem
end

-- Timers, slots, counts ---------------------------------------------------------------------------

---@return string?
local function check_timers(watch)
  local i = 1
  local node, when = S.timer_at(1)
  while node do
    local _, above = S.timer_at((i - i % 2) / 2)
    local scope = node.scope
    local w = node.task and node or node.worker or (scope and record.worker_of(scope))
    if (node.task and node.queue_prev or node.pos) ~= i or (above and above > when) then
      return "the heap of timers is out of order"
    elseif (w and w.task.worker ~= w) or (scope and scope.closed) then
      return "a timer of " .. name(watch, w.task) .. " is set, which has ended"
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
    local task = w.task
    local slots, extra = task.def.slots, task.extra
    if slots then
      if not watch.slots[slots] then
        watch.slots[slots] = slots.active -- nobody of ours has begun
        held[slots] = 0
      end
      local has_slot = w.waiting == GRANTED or (w.co and not (extra and extra.no_slot))
      held[slots] = held[slots] + (has_slot and 1 or 0)
      if w.queue == slots.waiters and not slots.pools and slots.active < slots.max then
        return name(watch, task) .. " waits for a slot, and one is free"
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
  local problem = collect(watch, watch.owner)
  if not problem and watch.owner ~= root then
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
    if not known[i].worker then
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
    return name(watch, watch.live[1].task) .. " is alive still"
  elseif S.timer_at(1) then
    return "a timer is left, due at " .. S.next_deadline()
  end
  for i = 1, #S.run_lists do
    local w = S.run_lists[i].head
    while w do
      if w.task.id >= watch.first then
        return name(watch, w.task) .. " is left in the run list " .. S.run_lists[i].name
      end
      w = w.queue_next
    end
  end
end

return invariants
