-- Waits that would never end: because they close a cycle, or need what those who wait hold. They
-- are found as they begin. What is not found here is found by silence (doors/ending.lua).
local errors = require "swarm.ground.errors"
local opaque = require "swarm.ground.opaque"
local record = require "swarm.scheduler.record"
local scopes = require "swarm.scope.scope"
local named, is_below = record.named, record.is_below
local CHILDREN = scopes.CHILDREN
local huge = math.huge

local deadlock = {}

---Whether `w` cannot settle before `me` does: it waits for me, for an ancestor of mine (who waits
---for its children), for somebody who does, or for children of whom one does.
---@param w table a worker
---@param me table a worker
---@param seen table workers looked at already
local function waits_for(w, me, seen)
  if is_below(me.task, w.task) then
    return true
  end
  local queue = w.queue
  if seen[w] or (queue and queue.runs) then
    return false -- looked at already, or woken: it waits no longer
  end
  seen[w] = true
  local waiting = w.waiting
  if waiting == nil then
    return false
  elseif waiting == CHILDREN then
    local child = w.scope.first_child
    while child do
      if child.waiting and waits_for(child, me, seen) then
        return true
      end
      child = child.sib_next
    end
    return false
  elseif waiting.some_live then -- a group that needs each of its members
    return waiting.some_live(waiting, function(member)
      return waits_for(member, me, seen)
    end)
  end
  -- A task only where it waits in a join without a timeout.
  local joined = waiting.def and waiting.worker
  return joined ~= nil and waits_for(joined, me, seen)
end
deadlock.waits_for = waits_for

---A block of `me` is about to wait for its children: the error of one that would wait for ever,
---because a child waits, by way of joins, for `me`.
---@return table? err
function deadlock.ring(me, scope)
  local child, seen = scope.first_child, nil
  while child do
    if child.waiting then
      seen = seen or {}
      if waits_for(child, me, seen) then
        local message = "worker "
          .. named(me.task)
          .. " waits for its child "
          .. named(child.task)
          .. ", which waits for it"
        local home = record.home(me.task)
        return errors.new("deadlock", message, { where = home, traceback = "" })
      end
    end
    child = child.sib_next
  end
end

local function needs_held_slot(me, task)
  local def = task.def
  local slots = def.slots
  if not slots or task.status ~= "pending" or slots.active < slots.max then
    return false
  end
  local held, above = 0, me.task
  while above do
    if above.def == def and above.worker and above.worker.co then
      held = held + 1
    end
    above = above.parent
  end
  return held >= slots.max
end

---How many of the workers from `task` up hold a slot of a pool.
local function holders(task, pool)
  local many = 0
  while task do
    local held = task.worker and task.extra and task.extra.pools
    for i = 1, held and #held or 0 do
      many = many + (held[i] == pool and 1 or 0)
    end
    task = task.parent
  end
  return many
end

---Refuses a wait for a task that needs a pool of which somebody who waits for it holds a slot: all
---who hold one could do so at once.
local function check_pools(me, task)
  local of = task.def.slots.pools
  local waits = of and task.status == "pending"
  for i = 1, waits and #of or 0 do
    local pool = of[i]
    if
      pool.slots < huge
      and (holders(task.parent, pool) > 0 or holders(me.task, pool) >= pool.slots)
    then
      return errors.throw(
        "deadlock",
        "worker "
          .. named(task)
          .. ' needs a slot of pool "'
          .. pool.name
          .. '", and a worker that waits for it holds one'
      )
    end
  end
end

---Refuses a wait for a task that needs a slot which the workers above it hold.
function deadlock.check_slots(me, task)
  if task.def.slots then
    check_pools(me, task)
  end
  if needs_held_slot(me, task) then
    return errors.throw(
      "deadlock",
      "worker "
        .. named(task)
        .. " needs one of the "
        .. task.def.slots.max
        .. " slots of its concurrency, and its own ancestors hold them all"
    )
  end
end

---Refuses to join a live worker that cannot settle before `me` does.
function deadlock.check_join(me, w)
  if w == me then
    return errors.throw(
      "deadlock",
      "worker " .. named(w.task) .. " joins itself and would wait for ever"
    )
  end
  deadlock.check_slots(me, w.task)
  if waits_for(w, me, {}) then
    return errors.throw(
      "deadlock",
      "worker "
        .. named(me.task)
        .. " joins worker "
        .. named(w.task)
        .. ", which waits for it already"
    )
  end
end

---The object that a worker waits for, where a script made it while it was loaded.
---@return table? record
local function object_of(w)
  local queue = w.queue
  local object = queue and queue.of
  return object and object.generation and object or nil
end

---Whether a worker waits for an object of a generation that has been replaced: who would have to
---wake it may have another one from the same place.
function deadlock.waits_for_an_older(w)
  local object = object_of(w)
  return object ~= nil and object.generation ~= w.task.def.generation.line.newest.number
end

---What a parked worker waits for, in words.
---@param w table
---@param joined function(task) → string how a task that it joins is named
---@return string
---@param with_generation boolean? an object is named with the generation that made it
function deadlock.what_it_waits_for(w, joined, with_generation)
  local waiting = w.waiting
  if waiting == nil then
    return "nothing known"
  elseif waiting.def then
    return joined(waiting)
  end
  local text = waiting.describe and waiting.describe(waiting) or waiting.what
  local object = with_generation and object_of(w)
  return object and opaque.with_generation(object, text) or text
end

return deadlock
