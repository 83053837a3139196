-- The end of a worker: how what it returned or raised, what its children did, and what it was
-- cancelled for come to one final status; and the one place where that status is set.
local clock = require "swarm.ground.clock"
local errors = require "swarm.ground.errors"
local events = require "swarm.events.run"
local handles = require "swarm.worker.handle"
local log = require "swarm.events.log"
local S = require "swarm.scheduler.scheduler"
local Scope = require "swarm.scope.scope"
local shown = require "swarm.ground.shown"
local site = require "swarm.ground.site"
local values = require "swarm.values.values"

local type, rawget = type, rawget
local copy, CHILDREN = values.copy, Scope.CHILDREN

-- How many workers there are, and how many have ended in each way.
local counts =
  { live = 0, running = 0, pass = 0, blocked = 0, failed = 0, cancelled = 0, timeout = 0 }

local Settle = {
  counts = counts,
  run_settled_hooks = nil, -- middleware
  write_final = nil, -- tail: puts the final at its end
  again = nil, -- structure/retry.lua: whether a further attempt follows
  run_errors = {}, -- what settled hooks and on_dispose raised: fails the run
  on_settled = nil, -- doors/held.lua: told of the workers that Python waits for
  draining = 0, -- retired generations that are not freed yet
  on_drained = nil, -- script/draining.lua: the last worker of a retired one has settled
}

local RUN_ERRORS = 100 -- kept; each was logged as it came

---An error that no worker can be given: it fails the run at its end.
function Settle.fail_run(err)
  local list = Settle.run_errors
  if #list < RUN_ERRORS then
    list[#list + 1] = err
  end
end

-- A worker waits for a slot of its definition's `concurrency`.
local SLOT = { what = "a free slot" }
local GRANTED = { what = "its turn" }
Settle.SLOT, Settle.GRANTED = SLOT, GRANTED

local function release_slot(w)
  local slots = w.def.slots
  if w.waiting == SLOT or (w.extra and w.extra.no_slot) then
    return -- it never had one
  end
  slots.active = slots.active - 1
  Settle.grant_slots(slots)
end

---Gives free slots to who waits longest: nobody can take them in between.
function Settle.grant_slots(slots)
  local following = slots.waiters.head
  while following and slots.active < slots.max do
    slots.active = slots.active + 1
    S.remove(following)
    following.waiting = GRANTED
    S.ready(following)
    following = slots.waiters.head
  end
end

---Has `node.settled(node, w)` called as the worker settles; S.remove(node) takes it back. A node
---with `owns` takes the worker's failure upon itself.
---@return boolean whether it is live still
function Settle.watch(w, node)
  if not w.scope then
    return false
  end
  local extra = w.extra or {}
  w.extra = extra
  extra.watchers = extra.watchers or { head = nil, tail = nil }
  S.push_back(extra.watchers, node)
  if extra.on_awaited then
    extra.on_awaited()
  end
  return true
end

local function tell_watchers(w, watchers)
  local node = watchers.head
  while node do
    S.remove(node)
    node.settled(node, w)
    node = watchers.head
  end
end

local function is_awaited(w, joiners)
  local extra = not joiners and w.extra
  local node = extra and extra.watchers and extra.watchers.head
  while node and not node.owns do
    node = node.queue_next
  end
  return joiners or node
end

local function stamp(w, err)
  -- Whoever reads the error can ask for its task; nobody asks for the loading of a script.
  err.task_id = w.def.loading and "T-" .. w.id or handles.task_id(w)
  err.traceback = err.traceback or ""
  err.agent = w.def.name or handles.label(w)
  err.spawned_at = err.spawned_at or site.place(w.site)
  if
    err.where == nil
    and err.code ~= "cancelled"
    and err.code ~= "timeout"
    and err.code ~= "blocked"
  then
    -- `return error(...)` is a tail call: its frame is gone; a function of C has no place.
    err.where = handles.home(w) or err.spawned_at
  end
  return err
end

Settle.stamp = stamp

local function ended_by(w, cause)
  if cause.kind == "timeout" and cause.scope == w then
    return "timeout",
      stamp(w, errors.new("timeout", "worker " .. handles.label(w) .. " " .. cause.reason))
  end
  local message = "worker " .. handles.label(w) .. " was cancelled: " .. cause.reason
  return "cancelled",
    stamp(w, errors.new("cancelled", message, { reason = cause.reason, kind = cause.kind }))
end

---A worker belongs to its generation no longer; a retired one is done with after its last.
function Settle.leave_generation(generation)
  if generation.retired then
    generation.live = generation.live - 1
    if generation.live == 0 then
      Settle.on_drained(generation)
    end
  end
end

---Writes down how an attempt ended, and gives back what only a running worker has.
local function end_attempt(w, status, value, err)
  local begun = w.co
  w.status, w.value, w.err = status, value, err
  w.co, w.scope = nil, nil
  w.deadline = clock.monotonic() -- a settled worker's: when it ended
  if begun then
    counts.running = counts.running - 1
  end
  if w.def.slots and (begun or w.waiting) then
    release_slot(w)
  end
  if w.queue then
    S.remove(w)
  end
  w.waiting = nil
  if events.on and begun then
    Settle.write_final(w)
    events.publish("task_attempt_completed", w, { status = status })
  end
end
Settle.end_attempt = end_attempt

---The one place where a status becomes final, once.
local function settle(w, status, value, err)
  local deadline = w.deadline
  if deadline and w.co then
    S.drop_timer(deadline) -- its clock stands still while hooks and retries look at its end
  end
  if w.def.settled then
    local own = w.rights
    Settle.run_settled_hooks(w, status, value, err)
    w.rights = own
  end
  if w.extra and w.extra.retries then
    local again
    again, status, value, err = Settle.again(w, status, value, err)
    if again then
      return
    end
  end
  end_attempt(w, status, value, err)
  counts.live = counts.live - 1
  counts[status] = counts[status] + 1

  local owner = w.owner
  Scope.release(owner, w)
  local joiners = w.joiners
  local failed = status == "failed" or status == "timeout"
  if failed then
    if not w.owned then
      Scope.keep_failed(owner, w)
      if not is_awaited(w, joiners) then
        log.unowned(w, err)
      end
    end
    if owner.nursery and not owner.first_error then
      owner.first_error = err
      Scope.cancel(
        owner,
        { kind = "sibling", reason = "another worker of the scope failed", scope = owner }
      )
    end
  end
  if status == "cancelled" and err.others and not w.owned then
    Scope.keep_failed(owner, w) -- it is no failure; what broke below it was one
  end
  if events.on then
    events.publish("task_" .. status, w, { reason = err and errors.headline(err) or nil })
  end
  if not owner.first_child then
    local above = owner.id and owner or owner.worker
    if above and above.waiting == CHILDREN and above.scope == owner then
      S.ready(above)
    end
  end
  if joiners then
    w.joiners = nil
    if joiners.id then
      S.ready(joiners)
    else
      S.ready_all(joiners)
    end
  end
  local tail = w.tail
  if tail then
    tail:settled(w)
  end
  local extra = w.extra
  if extra then
    if extra.cancel_waiters then
      S.ready_all(extra.cancel_waiters)
    end
    if extra.watchers then
      tell_watchers(w, extra.watchers)
    end
    if extra.listed then
      handles.retire(w)
    end
    if extra.watched then
      Settle.on_settled(w)
    end
  end
  if Settle.draining > 0 then
    Settle.leave_generation(w.def.generation)
  end
end

---Ends a worker of the host's own that has not begun, and has nothing left to do.
function Settle.unbegun(w)
  return settle(w, "pass", nil, nil)
end

function Scope.settle_pending(w, cause)
  if w.def.settled then
    if not w.cancel then
      w.cancel = cause
      S.wake(w) -- settled hooks need a coroutine: it begins, and ends at once
    end
    return
  end
  local status, err = ended_by(w, cause)
  settle(w, status, nil, err)
end

---What `run` raised or returned, and what its children did, made into an end.
---@param reason table? why it is blocked, as Settle.reason says it
---@param before boolean it failed before it was cancelled, if it was
function Settle.conclude(w, ok, value, reason, before)
  local cause = w.cancel
  local unowned = Scope.unowned(w)
  if cause and cause.kind ~= "loading" then
    if ok or value == w.err then
      local status, err = ended_by(w, cause)
      err = Scope.with_others(err, not ok and value.others or nil)
      return settle(w, status, nil, Scope.with_others(err, unowned))
    end
    if not before then
      value.cancel_reason = cause.reason -- an error of the clean-up
    end
  end
  if not ok then
    return settle(w, "failed", nil, stamp(w, Scope.with_others(value, unowned)))
  end
  if unowned then
    local err = Scope.children_failed(unowned)
    err.traceback = ""
    return settle(w, "failed", nil, stamp(w, err))
  end
  if reason ~= nil then
    return settle(
      w,
      "blocked",
      value,
      stamp(w, Settle.blocked_error(copy(value, "result"), reason))
    )
  end
  return settle(w, "pass", value, nil)
end

---The second value that `run` returned, as text. It may call the author's code (__tostring), so it
---is asked for while the worker still runs.
---@return table { text, hint }
function Settle.reason(value)
  local hint = ""
  if type(value) == "table" then
    value = rawget(value, "reason") or rawget(value, "message") or value
  elseif type(value) ~= "string" then
    hint = " (a second value that `run` returns says why it is blocked; for one value only, write"
      .. " `return (...)`)"
  end
  return { text = shown.text(value), hint = hint }
end

---The error that goes with a blocked result.
---@param reason table what Settle.reason made of it
function Settle.blocked_error(value, reason)
  local message = "blocked: " .. reason.text .. reason.hint
  return errors.new("blocked", message, { value = value, reason = reason.text })
end

return Settle
