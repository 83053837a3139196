-- Held-open workers: one worker, many invocations, one at a time and in order. The held-open worker
-- is a worker that only waits; each invocation is a task below it, with a tail, a clock and a
-- pipeline of its own, and all of them share `ctx.state`.
local arguments = require "swarm.ground.arguments"
local cancelling = require "swarm.scope.cancel"
local clock = require "swarm.ground.clock"
local closing = require "swarm.worker.closing"
local definition = require "swarm.worker.definition"
local deadlock = require "swarm.worker.deadlock"
local errors = require "swarm.ground.errors"
local frames = require "swarm.ground.frames"
local gate = require "swarm.rights.gate"
local handles = require "swarm.worker.handle"
local joining = require "swarm.worker.join"
local list = require "swarm.ground.list"
local need_room = require "swarm.ground.room"
local record = require "swarm.scheduler.record"
local S = require "swarm.scheduler.scheduler"
local scopes = require "swarm.scope.scope"
local settling = require "swarm.worker.settle"
local shown = require "swarm.ground.shown"
local site = require "swarm.ground.site"
local spawning = require "swarm.worker.spawn"
local values = require "swarm.values.values"
local waiting = require "swarm.scope.waiting"
local take_site, FORMAT, LEVELS = site.take, site.FORMAT, site.LEVELS
local error, format, pcall, type = error, string.format, pcall, type
local isyieldable = coroutine.isyieldable

local TTL_SECONDS = 1800
local MOST_USES = 2 ^ 53
local OPTIONS = { ttl = true, uses = true, timeout = true }

local held_open = {}

---Lets the worker of a closed one go. One that has not begun yet would wait for its turn behind
---all others, and whoever opens one after another would pile them up.
local function let_go(held)
  local w = held.task.worker
  if not w then
    return -- it has ended
  elseif held.task.status == "pending" and not w.first_child and not w.cancel then
    settling.unbegun(w)
  elseif w.waiting == held.waiting then
    S.ready(w)
  end
end

---Ends a held-open worker: nothing more is invoked; what runs goes on to its end.
---@param code string the error that further invocations raise
---@param why string
local function close(held, code, why)
  if held.closed then
    return
  end
  held.closed = { code = code, why = why }
  if held.at_end.queue then
    list.remove(held.at_end)
  end
  S.ready_all(held.waiters)
  return let_go(held)
end

---What it waits for, for the reports of deadlocks.
local function describe(what)
  local invocation = what.held.running
  return invocation and format("its invocation (T-%d)", invocation.id) or "an invocation"
end

---Whether anybody waits for its end: where nobody does, its ttl wakes nobody, and must not keep
--- a deadlock from being seen.
local function is_awaited(w)
  local task = w.task
  local extra = task.extra
  return extra.held_open.waiters.head
    or settling.is_awaited(task)
    or (extra.cancel_waiters and extra.cancel_waiters.head)
    or (extra.tail and extra.tail.followers.head)
end

---Waits until it is closed.
local function wait(held, me)
  local timer = S.alarm(me, held.expires)
  timer.serves = is_awaited
  while not held.closed do
    if me.scope.cancel then
      S.drop_timer(timer)
      close(held, "token_revoked", "it was cancelled: " .. me.scope.cancel.reason)
      return cancelling.raise(me)
    elseif not timer.pos then
      close(held, "token_expired", "its ttl of " .. held.ttl .. " s is over")
    else
      S.park(me, held.waiting)
    end
  end
  S.drop_timer(timer)
end

---What it runs: it waits until it is closed and its invocations have ended, and closes what they
---have left open.
local function run(held)
  local me = S.current
  local ok, err = pcall(wait, held, me)
  ok, err = closing.close(me, me.scope, ok, err, "the worker that they belong to failed")
  if held.kept then
    held.kept:close()
  end
  if not ok then
    return error(err, 0)
  end
end

local function check_definition(me, name)
  if type(name) ~= "string" then
    return errors.throw(
      "invalid_argument",
      "swarm.open takes the name of a worker, and got " .. shown.value(name)
    )
  end
  local of = me.task.def
  local def = of.names[name] or spawning.resolve(name, of.generation)
  if def.held_open ~= true then
    local why = def.held_open or "workers of kind " .. def.kind .. " cannot be held open"
    return errors.throw("invalid_argument", format("worker %q: %s", name, why))
  end
end

---@return number ttl, number? uses, number? timeout
local function read_options(opts)
  if opts == nil then
    return TTL_SECONDS
  end
  arguments.options(opts, OPTIONS, "open")
  local ttl, uses, timeout = opts.ttl, opts.uses, opts.timeout
  if ttl ~= nil then
    arguments.seconds(ttl, "open's option ttl")
  end
  if uses ~= nil then
    arguments.whole(uses, "open's option uses", 1, MOST_USES)
  end
  if timeout ~= nil then
    arguments.seconds(timeout, "open's option timeout")
  end
  return ttl or TTL_SECONDS, uses, timeout
end

---swarm.open(name, { ttl = 1800, uses?, timeout? }) → its handle
function held_open.open(name, opts)
  local me = cancelling.enter()
  local owner = me.scope
  check_definition(me, name)
  local ttl, uses, timeout = read_options(opts)
  if me.rights.start_task ~= true then
    gate.check(me, "start_task", name)
  end
  local held = {
    name = name,
    options = { timeout = timeout },
    ttl = ttl,
    expires = clock.monotonic() + ttl,
    uses = uses, -- left, or nil: any number
    state = {}, -- ctx.state
    closed = nil, -- { code, why }
    task = nil, -- its own
    busy = false, -- an invocation is under way, or somebody's turn has come
    running = nil, -- the invocation's task
    turn = nil, -- the worker whose turn has come
    waiters = { head = nil, tail = nil }, -- those who want to invoke
    at_end = nil,
    waiting = nil, -- what its worker waits for
    kept = nil, -- its kind's: what outlives an invocation; its worker calls `kept:close()`
  }
  held.waiting = { held = held, describe = describe }
  local def = definition.internal(me.task.def.generation, name)
  def.where = frames.where()
  def.begins = true -- it may have an invocation before it has begun
  local handle, task = spawning.internal(owner, me, def, function()
    return run(held)
  end, take_site(FORMAT, LEVELS))
  held.task = task
  record.extra(task).held_open = held
  held.at_end = {
    close = function()
      close(held, "token_revoked", "the block that it belongs to has ended")
    end,
  }
  scopes.at_end(owner, held.at_end)
  return handle
end

---What a held-open worker keeps: the one behind a handle, and not one of its invocations.
local function held_of(handle, call)
  need_room()
  local task = handles.task(handle, call)
  local held = task.extra and task.extra.held_open
  if not held then
    local named = record.named(task)
    return errors.throw(
      "invalid_argument",
      format("%s is for what swarm.open returned; worker %s is not held open", call, named)
    )
  end
  return held
end

local function check_open(held)
  local w = held.task.worker
  if not held.closed and w and w.cancel then
    close(held, "token_revoked", "it was cancelled: " .. w.cancel.reason)
  elseif not held.closed and not w then
    close(held, "token_revoked", "it has ended")
  elseif not held.closed and clock.monotonic() >= held.expires then
    close(held, "token_expired", "its ttl of " .. held.ttl .. " s is over")
  end
  local closed = held.closed
  if closed then
    return errors.throw(
      closed.code,
      format("worker %q is not held open any more: %s", held.name, closed.why)
    )
  end
end

---Refuses a turn that would never come: the invocation before it waits for the caller.
local function check_deadlock(held, me)
  local running = held.running
  if
    record.is_below(me.task, held.task)
    or (running and running.worker and deadlock.waits_for(running.worker, me, {}))
  then
    return errors.throw(
      "deadlock",
      format("worker %q invokes itself while it is being invoked", held.name)
    )
  end
end

---Hands it on to who has waited longest.
local function pass_on(held)
  local following = held.waiters.head
  held.running = nil
  if following then
    list.remove(following)
    held.turn = following
    S.ready(following)
  else
    held.busy, held.turn = false, nil
  end
end

---Whoever waits for a turn waits for the invocation before it, as joins do.
local function some_live(what, visit)
  local running = what.held.running
  return running ~= nil and running.worker ~= nil and visit(running.worker)
end

---Waits for one's turn. Raises with nothing held.
local function take_turn(held, me)
  if not held.busy then
    held.busy = true
    return
  end
  local what = format("its turn to invoke worker %q", held.name)
  need_room()
  list.push_back(held.waiters, me)
  S.park(me, { what = what, held = held, some_live = some_live })
  local mine = held.turn == me
  if mine then
    held.turn = nil
  elseif me.queue then
    list.remove(me)
  end
  if me.scope.cancel then
    if mine then
      pass_on(held)
    end
    return cancelling.raise(me)
  end
  return check_open(held)
end

---Spawns an invocation, below the held-open worker and in its name.
local function start(held, input, taken)
  local host = held.task.worker
  check_definition(host, held.name) -- a reload may have made another kind of it
  local extra = { invoked_by = held, worker_id = held.task.id }
  local handle, task = spawning.named(host, host, held.name, input, held.options, taken, nil, extra)
  held.running = task
  if held.uses then
    held.uses = held.uses - 1
    if held.uses == 0 then
      close(held, "token_uses_exhausted", "all its uses are used up")
    end
  end
  return handle, task
end

---After an invocation: one that was stopped takes the held-open worker with it.
local function finish(held, task, ok, ...)
  local err = not ok and (...)
  local w = task and task.worker
  if w then -- who invoked it was cancelled
    cancelling.cancel(w, { kind = "cancel", reason = "who invoked it was stopped", scope = w })
    close(held, "token_revoked", "an invocation was cancelled")
  elseif task and (task.status == "timeout" or task.status == "cancelled") then
    close(held, "token_revoked", "an invocation ended in " .. task.status)
  end
  pass_on(held)
  if held.closed then
    let_go(held)
  end
  if not ok then
    return error(err, 0)
  end
  return ...
end

local methods, getters = {}, {}
held_open.methods, held_open.getters = methods, getters

---h:invoke(input?) → as swarm.call returns
function methods.invoke(handle, input)
  local me = cancelling.enter()
  local held = held_of(handle, "invoke")
  if me.rights.poll_task ~= true then
    gate.check(me, "poll_task")
  end
  if not isyieldable() then
    return waiting.barred("h:invoke")
  end
  check_open(held)
  check_deadlock(held, me)
  input = values.copy(input, "input") -- as it is now, whatever happens to it before its turn
  take_turn(held, me)
  local started, invocation, task = pcall(start, held, input, take_site(FORMAT, LEVELS))
  if not started then
    return finish(held, nil, false, invocation)
  end
  return finish(held, task, pcall(joining.result, invocation))
end

---h:close(): nothing more can be invoked; what runs goes on to its end. Never waits.
---@return boolean whether it was open
function methods.close(handle)
  cancelling.not_while_loading()
  local held = held_of(handle, "close")
  local me = S.current
  if me.task ~= held.task.parent then
    gate.check(me, "cancel_task")
  end
  local open = not held.closed and held.task.worker ~= nil
  close(held, "token_revoked", "it was closed")
  return open
end

---ctx.state: what the invocations of one held-open worker share, and nobody else sees.
function getters.state(task)
  local me = S.current
  local held = me and me.task == task and task.extra and task.extra.invoked_by
  if not held then
    return errors.throw(
      "invalid_argument",
      "ctx.state is for workers that are held open (swarm.open); for the whole run there is"
        .. " swarm.state(name)"
    )
  end
  return held.state
end

return held_open
