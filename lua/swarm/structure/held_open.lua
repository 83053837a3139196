-- Held-open workers: one worker, many invocations, one at a time and in order. The session is a
-- worker that only waits; each invocation is a task below it, with a tail, a clock and a pipeline
-- of its own, and all of them share `ctx.state`.
local arguments = require "swarm.ground.arguments"
local clock = require "swarm.ground.clock"
local definition = require "swarm.worker.definition"
local errors = require "swarm.ground.errors"
local frames = require "swarm.ground.frames"
local gate = require "swarm.rights.gate"
local handles = require "swarm.worker.handle"
local Join = require "swarm.worker.join"
local S = require "swarm.scheduler.scheduler"
local Scope = require "swarm.scope.scope"
local Settle = require "swarm.worker.settle"
local shown = require "swarm.ground.shown"
local site = require "swarm.ground.site"
local values = require "swarm.values.values"
local waits = require "swarm.scope.waits"
local W = require "swarm.worker.spawn"
local take_site, FORMAT, LEVELS = site.take, site.FORMAT, site.LEVELS
local error, format, pcall, type = error, string.format, pcall, type
local isyieldable = coroutine.isyieldable

local TTL_SECONDS = 1800
local MOST_USES = 2 ^ 53
local OPTIONS = { ttl = true, uses = true, timeout = true }

local Session = {}

---Lets the worker of a closed session go. One that has not begun yet would wait for its turn behind
---all others, and whoever opens one session after another would pile them up.
local function let_go(session)
  local w = session.worker
  if w.status == "pending" and not w.first_child and not w.cancel then
    Settle.unbegun(w)
  elseif w.waiting == session.waiting then
    S.ready(w)
  end
end

---Ends a session: nothing more is invoked; what runs goes on to its end.
---@param code string the error that further invocations raise
---@param why string
local function close(session, code, why)
  if session.closed then
    return
  end
  session.closed = { code = code, why = why }
  if session.at_end.queue then
    S.remove(session.at_end)
  end
  S.ready_all(session.waiters)
  return let_go(session)
end

---What a session's worker waits for, for the reports of deadlocks.
local function describe(waiting)
  local invocation = waiting.session.running
  return invocation and format("its invocation (T-%d)", invocation.id) or "an invocation"
end

---Whether anybody waits for a session's end: where nobody does, its ttl wakes nobody, and must not
---keep a deadlock from being seen.
local function is_awaited(w)
  local extra, joiners = w.extra, w.joiners
  return extra.session.waiters.head
    or (joiners and (joiners.id or joiners.head))
    or (extra.watchers and extra.watchers.head)
    or (extra.cancel_waiters and extra.cancel_waiters.head)
    or (w.tail and w.tail.followers.head)
end

---What the session's worker runs: it waits until it is closed.
local function run(session)
  local me = S.current
  local timer = S.alarm(me, session.expires)
  timer.serves = is_awaited
  while not session.closed do
    if me.scope.cancel then
      S.drop_timer(timer)
      close(session, "token_revoked", "it was cancelled: " .. me.scope.cancel.reason)
      return Scope.raise(me)
    elseif not timer.pos then
      close(session, "token_expired", "its ttl of " .. session.ttl .. " s is over")
    else
      S.park(me, session.waiting)
    end
  end
  S.drop_timer(timer)
end

local function check_definition(me, name)
  if type(name) ~= "string" then
    return errors.throw(
      "invalid_argument",
      "swarm.open takes the name of a worker, and got " .. shown.value(name)
    )
  end
  local of = me.def
  local def = of.names[name] or W.resolve(name, of.generation)
  if not def.held_open then
    return errors.throw(
      "invalid_argument",
      format("worker %q is of kind %s: only workers of kind lua can be held open", name, def.kind)
    )
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

---swarm.open(name, { ttl = 1800, uses?, timeout? }) → the session's handle
function Session.open(name, opts)
  local me = S.current
  local owner = me.scope
  if owner.cancel then
    Scope.raise(me)
  end
  check_definition(me, name)
  local ttl, uses, timeout = read_options(opts)
  if me.rights.start_task ~= true then
    gate.check(me, "start_task", name)
  end
  local session = {
    name = name,
    options = { timeout = timeout },
    ttl = ttl,
    expires = clock.monotonic() + ttl,
    uses = uses, -- left, or nil: any number
    state = {}, -- ctx.state
    closed = nil, -- { code, why }
    worker = nil, -- its record
    busy = false, -- an invocation is under way, or somebody's turn has come
    running = nil, -- the invocation's record
    turn = nil, -- the record whose turn has come
    waiters = { head = nil, tail = nil }, -- those who want to invoke
    at_end = nil,
    waiting = nil, -- what its worker waits for
  }
  session.waiting = { session = session, describe = describe }
  local def = definition.internal(me.def.generation, name)
  def.where = frames.where()
  def.begins = true -- it may have an invocation before it has begun
  local handle, w = W.spawn_internal(owner, me, def, function()
    return run(session)
  end, take_site(FORMAT, LEVELS))
  session.worker = w
  w.extra = w.extra or {}
  w.extra.session = session
  session.at_end = {
    close = function()
      close(session, "token_revoked", "the block that it belongs to has ended")
    end,
  }
  Scope.at_end(owner, session.at_end)
  return handle
end

---The session behind a handle, and not one of its invocations.
local function session_of(handle, call)
  local w = handles.record(handle, call)
  local session = w.extra and w.extra.session
  if not session or session.worker ~= w then
    return errors.throw(
      "invalid_argument",
      call .. " is for what swarm.open returned; worker " .. handles.label(w) .. " is not held open"
    )
  end
  return session
end

local function check_open(session)
  local cause = session.worker.cancel
  if not session.closed and cause then
    close(session, "token_revoked", "it was cancelled: " .. cause.reason)
  elseif not session.closed and not session.worker.scope then
    close(session, "token_revoked", "it has ended")
  elseif not session.closed and clock.monotonic() >= session.expires then
    close(session, "token_expired", "its ttl of " .. session.ttl .. " s is over")
  end
  local closed = session.closed
  if closed then
    return errors.throw(
      closed.code,
      format("worker %q is not held open any more: %s", session.name, closed.why)
    )
  end
end

---Refuses a turn that would never come: the invocation before it waits for the caller.
local function check_deadlock(session, me)
  local running = session.running
  if
    handles.is_below(me, session.worker)
    or (running and running.scope and Join.waits_for(running, me, {}))
  then
    return errors.throw(
      "deadlock",
      format("worker %q invokes itself while it is being invoked", session.name)
    )
  end
end

---Hands the session on to who has waited longest.
local function pass_on(session)
  local following = session.waiters.head
  session.running = nil
  if following then
    S.remove(following)
    session.turn = following
    S.ready(following)
  else
    session.busy, session.turn = false, nil
  end
end

---Whoever waits for a turn waits for the invocation before it, as joins do.
local function some_live(waiting, visit)
  local running = waiting.session.running
  return running ~= nil and running.scope ~= nil and visit(running)
end

---Waits for one's turn. Raises with nothing held.
local function take_turn(session, me)
  if not session.busy then
    session.busy = true
    return
  end
  local what = format("its turn to invoke worker %q", session.name)
  S.push_back(session.waiters, me)
  S.park(me, { what = what, session = session, some_live = some_live })
  local mine = session.turn == me
  if mine then
    session.turn = nil
  elseif me.queue then
    S.remove(me)
  end
  if me.scope.cancel then
    if mine then
      pass_on(session)
    end
    return Scope.raise(me)
  end
  return check_open(session)
end

---Spawns an invocation, below the session and in its name.
local function start(session, input, taken)
  local host = session.worker
  check_definition(host, session.name) -- a reload may have made another kind of it
  local extra = { session = session, worker_id = host.id }
  local handle, w =
    W.spawn_into(host, host, session.name, input, session.options, taken, nil, extra)
  session.running = w
  if session.uses then
    session.uses = session.uses - 1
    if session.uses == 0 then
      close(session, "token_uses_exhausted", "all its uses are used up")
    end
  end
  return handle, w
end

---After an invocation: one that was stopped takes the session with it.
local function finish(session, w, ok, ...)
  local err = not ok and (...)
  if w and w.scope then -- who invoked it was cancelled
    Scope.cancel(w, { kind = "cancel", reason = "who invoked it was stopped", scope = w })
    close(session, "token_revoked", "an invocation was cancelled")
  elseif w and (w.status == "timeout" or w.status == "cancelled") then
    close(session, "token_revoked", "an invocation ended in " .. w.status)
  end
  pass_on(session)
  if session.closed then
    let_go(session)
  end
  if not ok then
    return error(err, 0)
  end
  return ...
end

---session:invoke(input?) → as swarm.call returns
function handles.methods.invoke(handle, input)
  local me = S.current
  if me.scope.cancel then
    Scope.raise(me)
  end
  local session = session_of(handle, "invoke")
  if me.rights.poll_task ~= true then
    gate.check(me, "poll_task")
  end
  if not isyieldable() then
    return waits.barred("session:invoke")
  end
  check_open(session)
  check_deadlock(session, me)
  input = values.copy(input, "input") -- as it is now, whatever happens to it before its turn
  take_turn(session, me)
  local started, invocation, w = pcall(start, session, input, take_site(FORMAT, LEVELS))
  if not started then
    return finish(session, nil, false, invocation)
  end
  return finish(session, w, pcall(Join.result, invocation))
end

---session:close(): nothing more can be invoked; what runs goes on to its end. Never waits.
---@return boolean whether it was open
function handles.methods.close(handle)
  Scope.not_while_loading()
  local session = session_of(handle, "close")
  if S.current ~= handles.parent(session.worker) then
    gate.check(S.current, "cancel_task")
  end
  local open = not session.closed and session.worker.scope ~= nil
  close(session, "token_revoked", "it was closed")
  return open
end

---ctx.state: what the invocations of one session share, and nobody else sees.
function handles.getters.state(w)
  local session = w == S.current and w.extra and w.extra.session
  if not session then
    return errors.throw(
      "invalid_argument",
      "ctx.state is for workers that are held open (swarm.open); for the whole run there is"
        .. " swarm.state(name)"
    )
  end
  return session.state
end

return Session
