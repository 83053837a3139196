-- Supervisors, as scripts meet them: swarm.supervise, and what its handle can do besides. What a
-- supervisor does is in run.lua.
local child_spec = require "swarm.structure.supervise.child_spec"
local cancelling = require "swarm.scope.cancel"
local definition = require "swarm.worker.definition"
local errors = require "swarm.ground.errors"
local frames = require "swarm.ground.frames"
local gate = require "swarm.rights.gate"
local handles = require "swarm.worker.handle"
local intensity = require "swarm.structure.supervise.intensity"
local list = require "swarm.ground.list"
local need_room = require "swarm.ground.room"
local raised = require "swarm.ground.raised"
local readiness = require "swarm.worker.readiness"
local record = require "swarm.scheduler.record"
local S = require "swarm.scheduler.scheduler"
local scopes = require "swarm.scope.scope"
local shown = require "swarm.ground.shown"
local site = require "swarm.ground.site"
local spelling = require "swarm.ground.spelling"
local starting = require "swarm.structure.supervise.starting"
local supervision = require "swarm.structure.supervise.run"
local spawning = require "swarm.worker.spawn"
local waiting = require "swarm.scope.waiting"

local take_site, FORMAT, LEVELS = site.take, site.FORMAT, site.LEVELS
local add, cancelled, title = starting.add, supervision.cancelled, supervision.title
local type, format = type, string.format

local methods = {}
local calls = { methods = methods }

local BUSY = { what = "a supervisor that is stopping children" }
local UNREADY = { what = "a supervisor's children to be ready" }

---Stands for who named a child, as who spawns it each time: with its names and rights, and what the
---supervisor's children inherit.
local function spawner(sup, me)
  local task = sup.worker.task
  return {
    rights = me.rights,
    task = { id = task.id, def = me.task.def, extra = task.extra, parent = task.parent },
  }
end

local function wake(sup)
  S.ready(sup.worker)
end

---@param owner table the scope that the supervisor belongs to
local function create(owner, me, plan, taken)
  local def = definition.internal(me.task.def.generation, plan.name or "supervisor")
  def.begins, def.where = true, frames.where()
  local sup = {
    name = plan.name,
    strategy = plan.strategy,
    limit = intensity.new(plan.intensity, plan.period),
    backoff = plan.backoff,
    worker = nil, -- its own
    block = nil, -- where its children live
    children = { head = nil, tail = nil }, -- in the order in which they were started first
    by_id = {},
    ended = { head = nil, tail = nil }, -- nodes of children whose end nobody has handled yet
    requests = { head = nil, tail = nil }, -- to stop a child
    starters = { head = nil, tail = nil }, -- workers that wait until it is not busy, or all ready
    unready = 0, -- children that are to be started, or were and are not ready
    busy = false,
    stopping = nil, -- the child's task that is being stopped
    owner_ends = false, -- nothing but children is left of the owner's block
    failure = nil,
    cause = nil, -- what it was cancelled for, once it has stopped all
    late = {}, -- errors of children that broke as they were stopped for good
    over = false,
  }
  local handle, task = spawning.internal(owner, me, def, function()
    return supervision.run(sup)
  end, taken)
  local w = task.worker
  sup.worker = w
  sup.block = scopes.new_block(w, w, "the supervisor", true)
  sup.block.supervises = true -- its children's deadlines are those around it
  w.scope = sup.block
  local extra = record.extra(task)
  extra.supervisor = sup
  extra.cancel_waiters = { head = nil, tail = nil }
  extra.on_awaited = function()
    wake(sup)
  end
  sup.at_end = {
    close = function()
      sup.owner_ends = true
      wake(sup)
    end,
  }
  scopes.at_end(owner, sup.at_end)
  return handle, sup
end

---swarm.supervise{ strategy?, intensity?, period?, name?, children? } → a worker's handle
function calls.supervise(opts)
  local me = cancelling.enter()
  local owner = me.scope
  need_room()
  spawning.check_room(me.depth, 1, 1)
  local plan = child_spec.plan(opts)
  local children = plan.children
  spawning.check_room(me.depth, #children == 0 and 1 or 2, 1 + #children)
  local taken = take_site(FORMAT, LEVELS)
  local handle, sup = create(owner, me, plan, taken)
  local by = spawner(sup, me)
  for i = 1, #children do
    add(sup, children[i], by, taken)
  end
  return handle
end

---The supervisor behind a handle.
local function supervisor_of(handle, call)
  local me = cancelling.enter()
  need_room()
  local task = handles.task(handle, call)
  local sup = task.extra and task.extra.supervisor
  if not sup then
    local whose = "worker " .. record.named(task) .. " is no supervisor: "
    return errors.throw(
      "invalid_argument",
      whose .. call .. " belongs to what swarm.supervise returned"
    )
  end
  return sup, me
end

---Waits in a list until somebody says that there is something to look at.
local function wait_in(waiters, me, sup, call, what)
  if sup.stopping and record.is_below(me.task, sup.stopping) then
    return errors.throw(
      "deadlock",
      call .. " waits for the supervisor, which waits for the end of this worker"
    )
  end
  return waiting.in_list(me, waiters, what, call)
end

---Waits until the supervisor is at rest, and all of its children that are to be started are ready.
---@param check function raises, or says that there is no more to wait for
local function wait_until_ready(sup, me, call, check)
  while not check(sup) and (sup.busy or sup.unready > 0) do
    local child = sup.children.head
    while child do
      if child.phase == "starting" and record.is_below(me.task, child.task) then
        local what = format("%s waits until child %q is ready, and is called by it", call, child.id)
        return errors.throw("deadlock", what)
      end
      child = child.queue_next
    end
    wait_in(sup.starters, me, sup, call, sup.busy and BUSY or UNREADY)
  end
end

---sup:children() → list of { id, handle, status, restart, restarts } in the order of starting
function methods.children(handle)
  local sup, me = supervisor_of(handle, "children")
  gate.check(me, "read_task_state")
  local children, child = {}, sup.children.head
  while child do
    children[#children + 1] = {
      id = child.id,
      handle = child.task and child.task.handle,
      status = child.phase ~= "due" and child.task and child.task.status or "pending",
      restart = child.restart,
      restarts = child.restarts,
    }
    child = child.queue_next
  end
  return children
end

local function check_open(sup)
  if sup.over or sup.failure or cancelled(sup) then
    local why = sup.over and "has ended" or "is stopping"
    return errors.throw("invalid_argument", "start: the " .. title(sup) .. " " .. why)
  end
end

---sup:start{ "name", input, id?, ... } → the child's handle
function methods.start(handle, item)
  local sup, me = supervisor_of(handle, "start")
  gate.bounds(me, "start_task")
  local child = child_spec.read(item, "start's child")
  local taken = take_site(FORMAT, LEVELS)
  wait_until_ready(sup, me, "start", check_open)
  child_spec.check_id(child, sup.by_id, "start's child")
  add(sup, child, spawner(sup, me), taken)
  return child.task.handle
end

---Why a supervisor is at its end, or at an end that is no failure, or not.
---@return boolean over
---@return table? err
local function ending(sup)
  local cause = sup.cause or (not sup.over and cancelled(sup))
  if sup.failure then
    return true, raised.crossing(sup.failure)
  elseif cause then
    local fields = { reason = cause.reason, where = frames.where(), traceback = frames.traceback() }
    return true, errors.new("cancelled", "cancelled: " .. cause.reason, fields)
  end
  return sup.over
end

---sup:ready() → true, once all children are ready · nil, err where the supervisor ends before.
---ctx:ready() says that the worker that calls it is ready.
function methods.ready(handle)
  local task = handles.task(handle, "ctx:ready")
  local sup = task.extra and task.extra.supervisor
  if not sup then
    return readiness.say(task)
  end
  local _, me = supervisor_of(handle, "ready")
  gate.check(me, "poll_task")
  wait_until_ready(sup, me, "ready", ending)
  local _, err = ending(sup)
  if err then
    return nil, err
  end
  return true
end

local function not_found(sup, id)
  local message = title(sup) .. " has no child " .. shown.value(id)
  local near = spelling.nearest(id, sup.by_id)
  if sup.over then
    message = title(sup) .. " has ended"
  elseif near then
    message = message .. "; did you mean " .. near .. "?"
  end
  local where, traceback = frames.where(), frames.traceback()
  return errors.new("child_not_found", message, { id = id, where = where, traceback = traceback })
end

---sup:stop(id) → true, once the child has ended · false, err where there is none
function methods.stop(handle, id)
  local sup, me = supervisor_of(handle, "stop")
  gate.check(me, "cancel_task")
  if type(id) ~= "string" then
    local got = shown.value(id)
    return errors.throw("invalid_argument", "stop takes the id of a child, and got " .. got)
  end
  local child = sup.by_id[id]
  if not child or sup.over then
    return false, not_found(sup, id)
  elseif record.is_below(me.task, child.task) then
    return errors.throw("deadlock", "stop: child " .. shown.value(id) .. " would wait for itself")
  end
  local request = child.stop_request
  if not request then
    request = { child = child, done = false, waiters = { head = nil, tail = nil } }
    child.stop_request = request
    list.push_back(sup.requests, request)
    wake(sup)
  end
  while not request.done do
    wait_in(request.waiters, me, sup, "stop", { what = format("the end of child %q", id) })
  end
  return true
end

return calls
