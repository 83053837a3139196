-- Spawning: one way in, whoever asks. A spawner is whoever has `rights` and a `task` (its `def`
-- says what names mean, its `extra.meta` what children inherit): the running worker, somebody who
-- stands for it, or the host. How deep a worker is nested follows its owner, who waits for it.
local attempts = require "swarm.worker.attempts"
local budgets = require "swarm.worker.limits.budget"
local cancelling = require "swarm.scope.cancel"
local errors = require "swarm.ground.errors"
local events = require "swarm.events.run"
local gate = require "swarm.rights.gate"
local handles = require "swarm.worker.handle"
local idle = require "swarm.scheduler.idle"
local masked = require "swarm.values.masked"
local noting = require "swarm.journal.noting"
local options = require "swarm.worker.spawning.options"
local recorded = require "swarm.worker.spawning.recorded"
local records = require "swarm.journal.records"
local replay = require "swarm.journal.replay"
local roles = require "swarm.rights.roles"
local S = require "swarm.scheduler.scheduler"
local scopes = require "swarm.scope.scope"
local settling = require "swarm.worker.settle"
local shown = require "swarm.ground.shown"
local site = require "swarm.ground.site"
local spelling = require "swarm.ground.spelling"
local values = require "swarm.values.values"

local take_site, FORMAT, LEVELS = site.take, site.FORMAT, site.LEVELS
local type, setmetatable = type, setmetatable
local copy, take_idle = values.copy, idle.take
local counts, loading = settling.counts, settling.loading
local index, newindex, handle_tostring = handles.index, handles.newindex, handles.tostring
local root, raise = scopes.root, cancelling.raise

local spawning = {
  max_depth = 64, -- spawn depth: workers below workers
  max_live = 1000000, -- workers that have not settled
}

-- Who spawns `main`, scripts that load, and what Python asks for: no role cuts these down.
local HOST = { rights = roles.ROLES.operator, task = { extra = nil } }

local ids = -1 -- the loading of a script is task 0, main is task 1

---Tasks and workers are counted together.
function spawning.next_id()
  ids = ids + 1
  return ids
end

-- The records -------------------------------------------------------------------------------------

---A worker for a task, in its owner's care, that begins in its turn.
local function enlist(task, owner, depth, rights)
  local w = take_idle()
  if w then
    w.task, w.owner, w.depth, w.rights = task, owner, depth, rights
  else
    w = {
      task = task,
      owner = owner,
      depth = depth,
      rights = rights,
      queue = false,
      queue_prev = nil,
      queue_next = nil,
      co = nil,
      waiting = nil,
      joiners = nil,
      scope = nil,
      cancel = nil,
      first_child = nil,
      failed = nil,
      sib_prev = nil,
      sib_next = nil,
    }
  end
  w.scope = w
  task.worker = w
  S.later(w) -- first: a full stack ends a call before it begins, and what comes now calls nothing
  local first = owner.first_child
  if first then
    first.sib_prev = w
    w.sib_next = first
  end
  owner.first_child = w
  counts.live = counts.live + 1
  local generation = task.def.generation
  if generation.retired then
    generation.live = generation.live + 1
  elseif generation.number == 0 then
    loading.live = loading.live + 1
  end
  return w
end
spawning.enlist = enlist

---A new task, pending, and its worker, in its owner's care.
local function create(owner, above, depth, def, run, input, extra, taken, rights, id)
  if not id then
    ids = ids + 1
    id = ids
  end
  local handle = {}
  local task = {
    __index = index,
    __newindex = newindex,
    __metatable = "swarm.worker",
    __tostring = handle_tostring,
    id = id,
    def = def,
    run = run,
    input = input,
    status = "pending",
    value = nil,
    since = nil,
    worker = nil,
    parent = above and above.task,
    site = taken,
    handle = handle,
    extra = extra,
  }
  setmetatable(handle, task)
  enlist(task, owner, depth, rights)
  if events.on then
    events.publish("task_created", task)
  end
  return handle, task
end

---The same, of a task that is kept in the journal, or was before.
local function create_kept(owner, above, depth, def, run, input, extra, taken, rights, by)
  local kind, name, text, same = recorded.known_by(def, run, input, extra)
  local found, id = nil, nil
  by = by.id and by or nil -- the host is none
  if replay.find then
    local key = extra and not extra.by_input and extra.key
    found = replay.match(by, def.run and name or "", key, text)
    ids = ids < replay.fresh and by and replay.fresh or ids
    if found then
      run, id = recorded.instead(def, run, found), found.id
    end
  end
  local handle, task = create(owner, above, depth, def, run, input, extra, taken, rights, id)
  recorded.spawned(
    task,
    by,
    kind,
    name,
    text,
    same or not masked.any(),
    by ~= nil and owner == root,
    found
  )
  return handle, task
end

---Raises where there is no room for so many more workers, on so many levels below `depth`.
---@param depth integer of who is above them; -1 for nobody
function spawning.check_room(depth, levels, workers)
  if depth + levels > spawning.max_depth then
    return errors.throw(
      "spawn_depth_exceeded",
      "workers are nested "
        .. spawning.max_depth
        .. " deep already: does one of them spawn itself without end?",
      { current = depth, max = spawning.max_depth }
    )
  end
  if counts.live + workers > spawning.max_live then
    return errors.throw(
      "spawn_bound_exceeded",
      spawning.max_live .. " workers are alive already: join some before you spawn more"
    )
  end
end

-- Spawning ----------------------------------------------------------------------------------------

---Spawns a task.
---@param owner table the scope that it belongs to
---@param by table the spawner
---@param def table its definition
---@param run function what it runs
---@param input any
---@param opts table? as authors give it
---@param taken any the place that spawns, as site.take has it
---@param extra table? what its task has from the start
---@return table handle, table task
local function spawn(owner, by, def, run, input, opts, taken, extra)
  if input ~= nil and type(input) ~= "string" then
    input = copy(input, "input")
  end
  local retries, given_by = def.retries, nil
  if opts ~= nil then
    local policy
    owner, extra, policy = options.read(owner, opts, extra)
    if opts.key ~= nil then
      extra = extra or {}
      extra.key = opts.key
    end
    if policy ~= nil then
      retries, given_by = policy or (def.parks and attempts.NONE), by.rights
    end
  end
  local above = owner.task and owner or owner.worker -- nil at the top of the run
  local depth = above and above.depth + 1 or 0
  if (depth > spawning.max_depth or counts.live >= spawning.max_live) and by ~= HOST then
    spawning.check_room(depth - 1, 1, 1)
  end
  if retries then
    extra = extra or {}
    extra.retries = attempts.new(retries, copy(input, "input"), by.rights, given_by)
  end
  local inherited = by.task.extra
  if inherited then
    if inherited.meta then
      extra = extra or {}
      if extra.meta == nil then
        extra.meta = copy(inherited.meta, "meta")
      end
    end
    if inherited.budget then
      extra = extra or {}
      extra.budget = inherited.budget
    end
  end
  local budget = def.budget
  if budget then
    extra = extra or {}
    budget = budgets.new(budget, extra.budget)
    extra.budget = budget
  end
  local rights, lent = def.rights, by.rights
  if not rights then
    rights = lent -- a function has its spawner's role
    local whose = by.task.extra
    if (above ~= by and by ~= HOST) or (whose and whose.own_rights) then
      extra = extra or {}
      extra.own_rights = lent -- it cannot be told from who is above it
    end
  elseif rights ~= lent and by ~= HOST and not def.authority then
    rights = rights.cuts[lent] or gate.cut(rights, lent)
  end
  local keys = opts and opts.key ~= nil and options.take_key(above, opts.key)
  local handle, task
  if records.on and records.is_kept(def) then
    handle, task = create_kept(owner, above, depth, def, run, input, extra, taken, rights, by.task)
  else
    if replay.find and ids >= 0 and ids < replay.fresh then
      ids = replay.fresh -- what a person asks of a run that is resumed is no task of before
    end
    handle, task = create(owner, above, depth, def, run, input, extra, taken, rights)
  end
  if noting.on then
    noting.spawned(task)
  end
  if keys then
    keys[opts.key] = task.id
  end
  if budget then
    budget.task = task
  end
  local cause = owner == root and by.cancel
  if cause and cause.scope == root and cause.kind ~= "parent" then
    cancelling.cancel(task.worker, cause) -- the run's time is up, or it was cancelled
  end
  return handle, task
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
    { unknown = name }
  )
end
spawning.resolve = resolve

---Spawns by name, or a function, on behalf of a spawner.
---@param from table? the definition in whose place a name is looked for; the spawner's by default
local function spawn_named(owner, by, name, input, opts, taken, from, extra)
  local def, run
  local kind = type(name)
  if kind == "string" then
    local of = from or by.task.def
    def = of.names[name] or resolve(name, of.generation)
    run = def.run
  elseif kind == "function" then
    def, run = by.task.def.generation.unnamed, name
    if def.wrap then
      run = def.wrap(run)
    end
  else
    return errors.throw(
      "invalid_argument",
      "spawn takes a worker's name or a function, and got " .. shown.value(name)
    )
  end
  if by.rights.start_task ~= true then
    gate.check(by, "start_task", kind == "string" and name or "") -- a function fits "*" alone
  end
  return spawn(owner, by, def, run, input, opts, taken, extra)
end
spawning.named = spawn_named

---Spawns for the running worker, from where the public function that calls this was called. Finding
---that place out stops the compiler, so one from which a definition has always spawned another is
---taken for granted.
---@return table handle, table task
local function spawn_here(scope, me, name, input, opts)
  local by = me.task.def
  local def = by.names[name]
  local habits = def and def.habits
  local habit = habits and habits[by]
  if habit and habit.left > 0 and me.rights.start_task == true then
    habit.left = habit.left - 1
    return spawn(scope, me, def, def.run, input, opts, habit.site)
  end
  local taken = take_site(FORMAT, LEVELS + 1)
  if habits then
    habits[by] = site.habit(habit, taken)
  end
  local handle, task = spawn_named(scope, me, name, input, opts, taken)
  return handle, task
end
spawning.here = spawn_here

---swarm.spawn(name, input?, opts?) → handle
function spawning.spawn(name, input, opts)
  local me = S.current
  local scope = me.scope
  if scope.cancel then
    raise(me)
  end
  return (spawn_here(scope, me, name, input, opts))
end

---Spawns a worker of the host's own that works for the running one, with its rights.
function spawning.internal(owner, by, def, run, taken)
  gate.bounds(by, "start_task")
  return spawn(owner, by, def, run, nil, nil, taken)
end

---Spawns a worker of the host's own below another, with its rights, for what the host does for that
---without being asked: so no verb is needed.
function spawning.helper(me, def, run, extra)
  return spawn(me, me, def, run, nil, nil, nil, extra)
end

---Spawns for the host: `main`, a loading script, what Python asks for. Its failure is the caller's.
---@param timeout number? seconds, in place of the definition's
---@param budget table? the run's
---@return table task
function spawning.root(def, run, input, timeout, budget)
  local extra = { owned = true, timeout = timeout, budget = budget }
  local _, task = spawn(root, HOST, def, run, input, nil, nil, extra)
  return task
end

return spawning
