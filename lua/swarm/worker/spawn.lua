-- The worker: its record, its life from spawn to settle. One spawn = one worker = one join.
-- The record is one table made by one constructor with every field, nil ones too, so that it never
-- grows; 32 fields fit LuaJIT's hash of 32 exactly, one more would double every worker.
local arguments = require "swarm.ground.arguments"
local attempts = require "swarm.worker.attempts"
local clock = require "swarm.ground.clock"
local errors = require "swarm.ground.errors"
local events = require "swarm.events.run"
local gate = require "swarm.rights.gate"
local handles = require "swarm.worker.handle"
local raised = require "swarm.ground.raised"
local S = require "swarm.scheduler.scheduler"
local Scope = require "swarm.scope.scope"
local Settle = require "swarm.worker.settle"
local shown = require "swarm.ground.shown"
local site = require "swarm.ground.site"
local spelling = require "swarm.ground.spelling"
local values = require "swarm.values.values"

local take_site, FORMAT, LEVELS = site.take, site.FORMAT, site.LEVELS
local co_yield = coroutine.yield
local type, setmetatable, xpcall = type, setmetatable, xpcall
local copy, from_raised = values.copy, raised.from_raised
local raise, root = Scope.raise, Scope.root
local SLOT, GRANTED, counts = Settle.SLOT, Settle.GRANTED, Settle.counts
local index, newindex, handle_tostring = handles.index, handles.newindex, handles.tostring
local PARK = S.PARK

local W = {
  max_depth = 64, -- spawn depth: workers below workers
  max_live = 1000000, -- workers that have not settled
}

local ids = -1 -- the loading of a script is task 0, main is task 1

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
  if not ok and kind ~= "table" then
    value = from_raised(value) -- the stack was too full for the handler
  end
  if ok and reason ~= nil and not w.def.wrapped then
    reason = Settle.reason(reason)
  end
  if
    ok
    and w.rights.post_result ~= true
    and not w.def.wrapped
    and (value ~= nil or reason ~= nil)
  then
    ok, value = xpcall(gate.refuse, from_raised, w, "post_result")
    kind = "table"
  end
  if
    ok
    and kind ~= "nil"
    and kind ~= "string"
    and kind ~= "boolean"
    and not (kind == "number" and value - value == 0)
  then
    local copied, result = xpcall(copy, from_raised, value, "result")
    if copied then
      value = result
    else
      ok, value = false, result
      value.where = handles.home(w)
      value.traceback = ""
    end
  end
  w.scope = w
  if w.deadline then
    S.fire_due_timers() -- a function that only computes may have run past it
  end
  local before = not ok and not w.cancel -- it failed by itself, whatever comes while it waits
  if w.first_child then
    local ring = ok and not w.cancel and Scope.ring(w, w)
    if ring then
      ok, value = false, ring
    end
    cancel_children_of(w, ok, value)
    Scope.wait_children(w, w)
  end
  return Settle.conclude(w, ok, value, reason, before)
end

---Runs a worker from its beginning to its end.
local function live(w)
  counts.running = counts.running + 1
  local cause = w.cancel
  if cause and cause.kind ~= "loading" and not w.def.begins then
    w.deadline = nil -- its clock never ran
    return finish(w, true) -- cancelled before it began; its settled hooks still run
  end
  w.status = "running"
  if w.def.settled then
    w.extra = w.extra or {}
    w.extra.started = clock.wall()
  end
  local seconds = w.deadline -- a pending worker has no clock of its own
  if seconds then
    Scope.arm(w, seconds, "ran out of time after " .. seconds .. " s")
  end
  if events.on then
    events.publish("task_attempt_started", w)
  end
  return finish(w, xpcall(w.run, from_raised, w.handle, w.input))
end

---What a pooled coroutine does: one worker after another.
function S.body(w)
  local co = w.co
  while true do
    live(w)
    if not S.keep(co) then
      return
    end
    w = co_yield(PARK)
  end
end

function S.begin(w)
  if w.extra then
    attempts.begin(w)
  end
  local slots = w.def.slots
  if slots and w.cancel then
    w.extra = w.extra or {} -- it begins only to end, and takes no slot for that
    w.extra.no_slot = w.waiting ~= GRANTED
  elseif slots then
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

-- Spawning ----------------------------------------------------------------------------------------

---Tasks and workers are counted together.
function W.next_id()
  ids = ids + 1
  return ids
end

local SPAWN_OPTIONS = { timeout = true, detached = true, meta = true, retries = true }

---@return table owner, number? timeout, table? meta, any retries
local function read_options(owner, opts)
  arguments.options(opts, SPAWN_OPTIONS, "spawn")
  local detached = opts.detached
  if detached then
    owner = root
  end
  if detached ~= nil and type(detached) ~= "boolean" then
    local got = shown.value(detached)
    return errors.throw("invalid_argument", "spawn's option detached is true or false, not " .. got)
  end
  local meta
  if opts.meta ~= nil then
    meta = copy(opts.meta, "meta")
  end
  local timeout = opts.timeout and arguments.seconds(opts.timeout, "spawn's option timeout")
  local retries = opts.retries
  if retries ~= nil then
    retries = attempts.policy(retries, "spawn's option retries") or false
  end
  return owner, timeout, meta, retries
end

---The definition behind a name: in the newest generation of a script's line, else in the caller's
---own generation.
---@param caller table the caller's generation
local function resolve(name, caller)
  local known = caller.line.names
  local def = known[name] or caller.workers[name]
  if def then
    return def
  end
  local hint = spelling.hint(name, known, "")
  local list = spelling.list(known)
  return errors.throw(
    "not_registered",
    "there is no worker "
      .. shown.value(name)
      .. (
        hint ~= "" and hint
        or list ~= "" and "; this script defines " .. list
        or "; this script defines none"
      ),
    { name = name }
  )
end
W.resolve = resolve

---A new record, pending, in its owner's care.
local function create(owner, depth, def, run, input, timeout, extra, taken, rights)
  ids = ids + 1
  local handle = {}
  local w = {
    __index = index,
    __newindex = newindex,
    __metatable = "swarm.worker",
    __tostring = handle_tostring,
    id = ids,
    def = def,
    run = run,
    input = input,
    status = "pending",
    owner = owner,
    depth = depth,
    queue = false,
    queue_prev = nil,
    queue_next = nil,
    co = nil,
    waiting = nil,
    joiners = nil,
    scope = nil,
    cancel = nil,
    first_child = nil,
    sib_prev = nil,
    sib_next = nil,
    failed = nil,
    owned = nil,
    value = nil,
    err = nil,
    tail = nil,
    deadline = timeout,
    handle = handle,
    site = taken,
    extra = extra,
    rights = rights,
  }
  w.scope = w
  setmetatable(handle, w)
  local first = owner.first_child
  if first then
    first.sib_prev = w
    w.sib_next = first
  end
  owner.first_child = w
  counts.live = counts.live + 1
  if Settle.draining > 0 and def.generation.retired then
    local generation = def.generation
    generation.live = generation.live + 1
  end
  if events.on then
    events.publish("task_created", w)
  end
  S.later(w)
  return handle, w
end

---Raises where there is no room for so many more workers, on so many levels below `me`.
local function check_room(me, levels, workers)
  if me.depth + levels > W.max_depth then
    return errors.throw(
      "spawn_depth_exceeded",
      "workers are nested "
        .. W.max_depth
        .. " deep already: does one of them spawn itself without end?",
      { current = me.depth, max = W.max_depth }
    )
  end
  if counts.live + workers > W.max_live then
    return errors.throw(
      "spawn_bound_exceeded",
      W.max_live .. " workers are alive already: join some before you spawn more"
    )
  end
end
W.check_room = check_room

---Spawns on behalf of the running worker, into `owner`.
---@param taken any the place that spawns, as site.take has it
---@param from table? the definition in whose place a name is looked for; its own by default
---@param extra table? what its record has from the start
local function spawn_into(owner, me, name, input, opts, taken, from, extra)
  local def, run
  local kind = type(name)
  if kind == "string" then
    local of = from or me.def
    def = of.names[name] or resolve(name, of.generation)
    run = def.run
  elseif kind == "function" then
    def, run = me.def.generation.unnamed, name
    if def.wrap then
      run = def.wrap(run)
    end
  else
    return errors.throw(
      "invalid_argument",
      "spawn takes a worker's name or a function, and got " .. shown.value(name)
    )
  end
  local by = me.rights
  if by.start_task ~= true then
    gate.check(me, "start_task", kind == "string" and name or "") -- a function fits "*" alone
  end
  if me.depth >= W.max_depth or counts.live >= W.max_live then
    check_room(me, 1, 1)
  end
  local depth = me.depth + 1
  if input ~= nil and type(input) ~= "string" then
    input = copy(input, "input")
  end
  local timeout, retries, own = def.timeout, def.retries, nil
  if opts ~= nil then
    local policy, meta
    owner, own, meta, policy = read_options(owner, opts)
    if meta then
      extra = extra or {}
      extra.meta = meta
    end
    timeout = own or timeout
    if policy ~= nil then
      retries = policy
    end
  end
  if retries then
    extra = extra or {}
    extra.retries = attempts.new(retries, copy(input, "input"), by, own)
  end
  local inherited = me.extra and me.extra.meta
  if inherited then
    extra = extra or {}
    if extra.meta == nil then
      extra.meta = copy(inherited, "meta")
    end
  end
  local rights = def.rights
  if not rights then
    rights = by -- a function has its spawner's role
  elseif rights ~= by and not def.authority then
    rights = rights.cuts[by] or gate.cut(rights, by)
  end
  return create(owner, depth, def, run, input, timeout, extra, taken, rights)
end
W.spawn_into = spawn_into

---swarm.spawn(name, input?, opts?) → handle
function W.spawn(name, input, opts)
  local me = S.current
  local scope = me.scope
  if scope.cancel then
    raise(me)
  end
  return (spawn_into(scope, me, name, input, opts, take_site(FORMAT, LEVELS)))
end

---Spawns a worker of the host's own that works for the running one, with its rights.
function W.spawn_internal(owner, me, def, run, taken)
  gate.bounds(me, "start_task")
  local inherited = me.extra and me.extra.meta
  local extra = inherited and { meta = copy(inherited, "meta") } or nil
  check_room(me, 1, 1)
  return create(owner, me.depth + 1, def, run, nil, nil, extra, taken, me.rights)
end

---Spawns for the host: `main`, a loading script, what Python asks for. Its failure is the caller's.
function W.spawn_root(def, run, input, timeout)
  local rights = def.rights or gate.ROLES.operator
  local extra = { watched = true }
  if def.retries then
    local by = gate.ROLES.operator
    extra.retries = attempts.new(def.retries, copy(input, "input"), by, timeout)
  end
  timeout = timeout or def.timeout
  local _, w = create(root, 0, def, run, input, timeout, extra, nil, rights)
  w.owned = true
  return w
end

return W
