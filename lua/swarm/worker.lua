-- The worker: its record, its life from spawn to settle. One spawn = one worker = one join.
-- The record is one table made by one constructor with every field, nil ones too, so that it never
-- grows; 32 fields fit LuaJIT's hash of 32 exactly, one more would double every worker.
local clock = require "swarm.clock"
local errors = require "swarm.errors"
local events = require "swarm.events"
local handles = require "swarm.handle"
local log = require "swarm.log"
local names = require "swarm.names"
local S = require "swarm.scheduler"
local Scope = require "swarm.scope"
local values = require "swarm.values"

local co_yield, dumpstack = coroutine.yield, require("jit.profile").dumpstack
local find, match, sub = string.find, string.match, string.sub
local type, setmetatable, xpcall, pcall = type, setmetatable, xpcall, pcall
local tostring, pairs, error = tostring, pairs, error
local copy, from_raised = values.copy, errors.from_raised
local raise, root, CHILDREN = Scope.raise, Scope.root, Scope.CHILDREN
local index, newindex, handle_tostring = handles.index, handles.newindex, handles.tostring
local PARK = S.PARK

local W = {
  max_depth = 64, -- spawn depth: workers below workers
  max_live = 1000000, -- workers that have not settled
  live = 0,
  running = 0,
  ended = { pass = 0, blocked = 0, failed = 0, cancelled = 0, timeout = 0 },
  newest = nil, -- the generation that names are looked up in first
  on_settled = nil, -- bridge: told of the workers that Python waits for
}

local ids = -1 -- the loading of a script is task 0, main is task 1

-- A worker waits for a slot of its definition's `concurrency`.
local SLOT = { what = "a free slot" }
local GRANTED = { what = "its turn" }

-- Settling ----------------------------------------------------------------------------------------

local function release_slot(w)
  local slots = w.def.slots
  if w.waiting == SLOT then
    return -- it never had one
  end
  local following = slots.waiters.head
  if following then
    S.remove(following)
    following.waiting = GRANTED -- the slot changes hands: nobody can take it in between
    S.ready(following)
  else
    slots.active = slots.active - 1
  end
end

---Where a worker was spawned, as file:line, or nil where the spawner is not the author's code.
local function spawn_site(w)
  local place = w.site and match(w.site, "\n([^\n]+)\n$")
  if place and sub(place, 1, 6) ~= "swarm/" and find(place, ":%d+$") then
    return place
  end
end

local function stamp(w, err)
  err.task_id = "T-" .. w.id
  err.agent = w.def.name or handles.label(w)
  err.spawned_at = err.spawned_at or spawn_site(w)
  return err
end

local function ended_by(w, cause)
  if cause.kind == "timeout" and cause.scope == w then
    return "timeout", stamp(w, errors.new("timeout", "worker " .. handles.label(w) .. " " .. cause.reason))
  end
  local message = "worker " .. handles.label(w) .. " was cancelled: " .. cause.reason
  return "cancelled", stamp(w, errors.new("cancelled", message, { reason = cause.reason, kind = cause.kind }))
end

---The one place where a status becomes final, once.
local function settle(w, status, value, err)
  local begun = w.co
  w.status, w.value, w.err = status, value, err
  w.co, w.scope = nil, nil
  W.live = W.live - 1
  W.ended[status] = W.ended[status] + 1
  local deadline = w.deadline
  if deadline then
    if begun then
      S.drop_timer(deadline)
    end
  end
  w.deadline = clock.monotonic() -- a settled worker's: when it ended
  if begun then
    W.running = W.running - 1
  end
  if w.def.slots and (begun or w.waiting) then
    release_slot(w)
  end
  if w.queue then
    S.remove(w)
  end
  w.waiting = nil

  local owner = w.owner
  Scope.release(owner, w)
  local joiners = w.joiners
  local failed = status == "failed" or status == "timeout"
  if failed then
    if not w.owned then
      Scope.keep_failed(owner, w)
      if not joiners then
        log.unowned(w, err)
      end
    end
    if owner.nursery and not owner.first_error then
      owner.first_error = err
      Scope.cancel(owner, { kind = "sibling", reason = "another worker of the scope failed", scope = owner })
    end
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
    if extra.watched then
      W.on_settled(w)
    end
  end
  handles.retire(w)
end

function Scope.settle_pending(w, cause)
  settle(w, ended_by(w, cause))
end

---What `run` raised or returned, and what its children did, made into an end.
local function conclude(w, ok, value, reason)
  local cause = w.cancel
  if cause and cause.kind ~= "loading" then
    if ok or value == w.err then
      local status, err = ended_by(w, cause)
      return settle(w, status, nil, err)
    end
    value.cancel_reason = cause.reason -- an error of the clean-up
    return settle(w, "failed", nil, stamp(w, value))
  end
  local unowned = Scope.unowned(w)
  if not ok then
    if unowned then
      value.others = unowned
    end
    return settle(w, "failed", nil, stamp(w, value))
  end
  if unowned then
    local err = Scope.children_failed(unowned)
    err.traceback = ""
    return settle(w, "failed", nil, stamp(w, err))
  end
  if reason ~= nil then
    return settle(w, "blocked", value, stamp(w, W.blocked_error(value, reason)))
  end
  return settle(w, "pass", value, nil)
end

---The error that goes with a blocked result.
function W.blocked_error(value, reason)
  local hint = ""
  if type(reason) == "table" then
    reason = reason.reason or reason.message or tostring(reason)
  elseif type(reason) ~= "string" then
    hint = " (a second value that `run` returns says why it is blocked; for one value only, write"
      .. " `return (...)`)"
  end
  reason = tostring(reason)
  return errors.new("blocked", "blocked: " .. reason .. hint, { value = value, reason = reason })
end

-- Running -----------------------------------------------------------------------------------------

local function cancel_children_of(w, ok, err)
  local cause = w.cancel
  if not cause and not ok then
    cause = { kind = "parent", reason = "its parent failed: " .. errors.headline(err), scope = w }
  end
  if cause then
    Scope.cancel_children(w, cause)
  end
end

local function finish(w, ok, value, reason)
  local kind = type(value)
  if ok and kind ~= "nil" and kind ~= "string" and kind ~= "boolean" and not (kind == "number" and value - value == 0) then
    local copied, result = xpcall(copy, from_raised, value, "result")
    if copied then
      value = result
    else
      ok, value = false, result
      value.where = handles.place_of(w.run)
      value.traceback = ""
    end
  end
  w.scope = w
  if w.first_child then
    cancel_children_of(w, ok, value)
    Scope.wait_children(w, w)
  end
  return conclude(w, ok, value, reason)
end

---What a pooled coroutine does: one worker after another.
function S.body(w)
  local co = w.co
  while true do
    w.status = "running"
    W.running = W.running + 1
    local seconds = w.deadline -- a pending worker has no clock of its own
    if seconds then
      Scope.arm(w, seconds, "ran out of time after " .. seconds .. " s")
    end
    if events.on then
      events.publish("task_attempt_started", w)
    end
    finish(w, xpcall(w.run, from_raised, w.handle, w.input))
    if not S.keep(co) then
      return
    end
    w = co_yield(PARK)
  end
end

function S.begin(w)
  local slots = w.def.slots
  if slots then
    if w.waiting == GRANTED then
      w.waiting = nil
    elseif slots.active >= slots.max then
      w.waiting = SLOT
      S.push_back(slots.waiters, w)
      return nil
    else
      slots.active = slots.active + 1
    end
  end
  local co = S.take_coroutine()
  w.co = co
  return co
end

-- Where a worker is spawned is kept for the errors that it may end in: the last three levels of the
-- stack (dumpstack, the public call, the author's function) as one string. It is the same string
-- for every spawn of a place, costs a third of getinfo and leaves no garbage.
local SITE, SITE_DEPTH = "pl\n", 3
W.SITE, W.SITE_DEPTH = SITE, SITE_DEPTH

-- Spawning ----------------------------------------------------------------------------------------

local SPAWN_OPTIONS = { timeout = true, detached = true, meta = true }

---Checks a number of seconds that an author gave.
function W.seconds(value, what)
  if type(value) ~= "number" or value ~= value or value < 0 then
    return errors.throw(
      "invalid_argument",
      what .. " takes a number of seconds, zero or more, and got " .. names.show(value)
    )
  end
  return value
end

---@return table owner, number? timeout, table? extra
local function read_options(owner, opts)
  if type(opts) ~= "table" then
    return errors.throw(
      "invalid_argument",
      "spawn takes a table of options as its third argument, and got " .. names.show(opts)
    )
  end
  for key in pairs(opts) do
    if not SPAWN_OPTIONS[key] then
      return errors.throw(
        "invalid_argument",
        "spawn has no option " .. names.show(key) .. names.hint(key, SPAWN_OPTIONS, ""),
        { name = tostring(key) }
      )
    end
  end
  if opts.detached then
    owner = root
  end
  local extra
  if opts.meta ~= nil then
    extra = { meta = copy(opts.meta, "meta") }
  end
  return owner, opts.timeout and W.seconds(opts.timeout, "spawn's option timeout"), extra
end

---The definition behind a name: in the newest generation, else in the caller's own.
local function resolve(name, generation)
  local def = W.newest.workers[name] or (generation and generation.workers[name])
  if def then
    return def
  end
  local known = W.newest.workers
  local hint = names.hint(name, known, "")
  local list = names.list(known)
  return errors.throw(
    "not_registered",
    "there is no worker " .. names.show(name) .. (hint ~= "" and hint
      or list ~= "" and "; this script defines " .. list
      or "; this script defines none"),
    { name = name }
  )
end
W.resolve = resolve

---A new record, pending, in its owner's care.
local function create(owner, depth, def, run, input, timeout, extra, site)
  ids = ids + 1
  local handle = {}
  local w = {
    __index = index, __newindex = newindex, __metatable = "swarm.worker", __tostring = handle_tostring,
    id = ids, def = def, run = run, input = input, status = "pending", owner = owner, depth = depth,
    queue = false, queue_prev = nil, queue_next = nil, co = nil, waiting = nil, joiners = nil,
    scope = nil, cancel = nil, first_child = nil, sib_prev = nil, sib_next = nil, failed = nil,
    owned = nil, value = nil, err = nil, tail = nil, deadline = timeout,
    handle = handle, site = site, extra = extra,
  }
  w.scope = w
  setmetatable(handle, w)
  local first = owner.first_child
  if first then
    first.sib_prev = w
    w.sib_next = first
  end
  owner.first_child = w
  W.live = W.live + 1
  if events.on then
    events.publish("task_created", w)
  end
  S.later(w)
  return handle, w
end

---Spawns on behalf of the running worker, into `owner`.
---@param site string? the place that spawns, as dumpstack says it
local function spawn_into(owner, me, name, input, opts, site)
  local def, run
  local kind = type(name)
  if kind == "string" then
    def = W.newest.workers[name] or resolve(name, me.def.generation)
    run = def.run
  elseif kind == "function" then
    def, run = me.def.generation.unnamed, name
  else
    return errors.throw(
      "invalid_argument",
      "spawn takes a worker's name or a function, and got " .. names.show(name)
    )
  end
  local depth = me.depth + 1
  if depth > W.max_depth then
    return errors.throw(
      "spawn_depth_exceeded",
      "workers are nested " .. W.max_depth .. " deep already: does one of them spawn itself without end?",
      { current = me.depth, max = W.max_depth }
    )
  end
  if W.live >= W.max_live then
    return errors.throw(
      "spawn_bound_exceeded",
      W.max_live .. " workers are alive already: join some before you spawn more"
    )
  end
  if input ~= nil and type(input) ~= "string" then
    input = copy(input, "input")
  end
  local timeout, extra = def.timeout, nil
  if opts ~= nil then
    local own
    owner, own, extra = read_options(owner, opts)
    timeout = own or timeout
  end
  local inherited = me.extra and me.extra.meta
  if inherited then
    extra = extra or {}
    if extra.meta == nil then
      extra.meta = copy(inherited, "meta")
    end
  end
  return create(owner, depth, def, run, input, timeout, extra, site)
end
W.spawn_into = spawn_into

---swarm.spawn(name, input?, opts?) → handle
function W.spawn(name, input, opts)
  local me = S.current
  local scope = me.scope
  if scope.cancel then
    raise(me)
  end
  return (spawn_into(scope, me, name, input, opts, dumpstack(SITE, SITE_DEPTH)))
end

---Spawns for the host: `main`, a loading script, what Python asks for. Its failure is the caller's.
function W.spawn_root(def, run, input, timeout)
  local _, w = create(root, 0, def, run, input, timeout or def.timeout, { watched = true }, nil)
  w.owned = true
  return w
end

-- Cancelling --------------------------------------------------------------------------------------

---swarm.cancel(h, reason?, opts?) → boolean
function W.cancel(target, reason, opts)
  local w = handles.record(target, "cancel")
  if reason ~= nil and type(reason) ~= "string" then
    return errors.throw("invalid_argument", "cancel takes a reason that is a string, and got " .. names.show(reason))
  end
  local live = not handles.final[w.status]
  if live and not w.cancel then
    Scope.cancel(w, { kind = "cancel", reason = reason or "no reason given", scope = w })
  end
  if opts and opts.wait then
    W.join(target)
  end
  return live
end

-- Joining -----------------------------------------------------------------------------------------

---Whether waiting for `w` closes a cycle of joins, ancestors (who wait for their children) included.
local function closes_cycle(me, w)
  local seen = 0
  while w and w.id and seen < 1000000 do
    local above = me
    while above do
      if above == w then
        return true
      end
      above = handles.parent(above)
    end
    w = w.waiting -- not a record where it waits for anything but a join without a timeout
    seen = seen + 1
  end
  return false
end

local function needs_held_slot(me, w)
  local def = w.def
  local slots = def.slots
  if not slots or w.status ~= "pending" or slots.active < slots.max then
    return false
  end
  local held, above = 0, me
  while above do
    if above.def == def and above.co then
      held = held + 1
    end
    above = handles.parent(above)
  end
  return held >= slots.max
end

local function check_deadlock(me, w)
  if w == me then
    return errors.throw("deadlock", "worker " .. handles.label(w) .. " joins itself and would wait for ever")
  elseif needs_held_slot(me, w) then
    return errors.throw(
      "deadlock",
      "worker "
        .. handles.label(w)
        .. " needs one of the "
        .. w.def.slots.max
        .. " slots of its concurrency, and its own ancestors hold them all"
    )
  elseif closes_cycle(me, w) then
    return errors.throw(
      "deadlock",
      "worker " .. handles.label(me) .. " joins worker " .. handles.label(w) .. ", which waits for it already"
    )
  end
end

local function enlist(w, me)
  local joiners = w.joiners
  if not joiners then
    w.joiners = me
    return
  end
  if joiners.id then
    local list = { head = nil, tail = nil }
    S.push_back(list, joiners)
    w.joiners = list
    joiners = list
  end
  S.push_back(joiners, me)
end

---Waits until `w` has settled. False: the time ran out first.
local function wait_for(me, w, timeout)
  local timer, waiting = nil, w
  if timeout then
    timer = S.alarm(me, clock.monotonic() + timeout)
    waiting = { what = "worker " .. handles.label(w) .. ", for a time" }
  elseif handles.parent(w) ~= me or w.waiting or w.def.slots then
    check_deadlock(me, w)
  end
  while true do
    enlist(w, me)
    if w.co == nil and w.waiting ~= SLOT and w.waiting ~= GRANTED then
      S.ready(w)
    end
    local parked = S.park(me, waiting)
    if w.joiners == me then
      w.joiners = nil
    elseif me.queue then
      S.remove(me)
    end
    local rang = timer and not timer.pos
    local over = not w.scope or rang or me.scope.cancel or not parked
    if over then
      if timer then
        S.drop_timer(timer)
      end
      if me.scope.cancel then
        raise(me)
      elseif not w.scope then
        return true
      elseif not parked then
        W.barred("join")
      end
      return false
    end
  end
end

---A call that must wait has a C function of Lua's between itself and its worker.
function W.barred(call)
  return errors.throw(
    "invalid_argument",
    call
      .. " cannot wait inside a function that string.gsub or table.sort calls: collect first, then "
      .. call
      .. " in a loop of its own"
  )
end

local function settled_record(target, timeout, call)
  local me = S.current
  if me.scope.cancel then
    raise(me)
  end
  local w = handles.record(target, call)
  if w.scope and not wait_for(me, w, timeout) then
    return nil, w
  end
  return w
end

---swarm.join(h, opts?) → true · nil, err
function W.join(target, opts)
  local timeout
  if opts ~= nil then
    if type(opts) ~= "table" then
      return errors.throw("invalid_argument", "join takes a table of options, and got " .. names.show(opts))
    end
    timeout = opts.timeout and W.seconds(opts.timeout, "join's option timeout")
  end
  local w, waited = settled_record(target, timeout, "join")
  if not w then
    local message = "worker " .. handles.label(waited) .. " has not settled within " .. timeout .. " s"
    return nil, errors.new("poll_timeout", message, { where = errors.where() })
  end
  local status = w.status
  if status == "pass" or status == "blocked" then
    return true
  end
  Scope.own(w)
  return nil, w.err
end

---swarm.result(h) → value · value, err (blocked); raises the error of any other end
function W.result(target)
  local w = settled_record(target, nil, "result")
  local status, value = w.status, w.value
  if status == "pass" then
    if type(value) == "table" then
      return copy(value, "result")
    end
    return value
  elseif status == "blocked" then
    return copy(value, "result"), w.err
  end
  Scope.own(w)
  return error(w.err, 0)
end

---swarm.call(name, input?, opts?): spawn and result in one
function W.call(name, input, opts)
  local me = S.current
  local scope = me.scope
  if scope.cancel then
    raise(me)
  end
  return W.result((spawn_into(scope, me, name, input, opts, dumpstack(SITE, SITE_DEPTH))))
end

return W
