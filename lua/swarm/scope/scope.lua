-- Cancel scopes. A scope is what is cancelled and what waits for its children. Every worker's
-- record is one; `scope`, `timeout` and `shield` open further ones inside it. Both have: `cancel`
-- (the cause that reached it, or nil), `outer` (the enclosing scope of the same worker; a record
-- has none), `first_child`, `failed` (children whose failure nobody has taken) and `err` (the
-- cancelled error that its cause raised). A block also has `worker`, `shielded`, `nursery`.
--
-- Causes spread at once, inwards and down, and stop at shields; so whether a call must raise is
-- one look at the innermost scope: cancellation is level-triggered and costs nothing.
local clock = require "swarm.ground.clock"
local errors = require "swarm.ground.errors"
local raised = require "swarm.ground.raised"
local S = require "swarm.scheduler.scheduler"
local type, error = type, error
local rawequal, rawget, rawset = rawequal, rawget, rawset

local Scope = {
  settle_pending = nil, -- worker/settle.lua: ends a worker that never began
  ring = nil, -- worker/join.lua: whether waiting for the children would never end
}

---The cause that a loading script is under: calls that spawn or wait raise not_while_loading.
local LOADING = { kind = "loading", reason = "loading" }
Scope.LOADING = LOADING

---The scope of a run: owns `main`, what Python spawns, and what is detached.
Scope.root = { cancel = nil, first_child = nil, failed = nil }

---A scope that a worker opens inside its own.
---@param worker table its record
---@param outer table the scope around it
---@param what string as messages name it
---@param shielded boolean whether cancels from outside stop here
---@return table
function Scope.new_block(worker, outer, what, shielded)
  return {
    worker = worker,
    outer = outer,
    cancel = nil,
    shielded = shielded,
    nursery = false,
    first_child = nil,
    failed = nil,
    first_error = nil,
    closed = false,
    err = nil,
    deadline = nil,
    what = what,
    co = nil, -- the coroutine that it is open in
  }
end

---The error that every call raises while the running worker's innermost scope is cancelled.
local function cancelled_error(me)
  local cause = me.scope.cancel
  local origin = cause.scope
  local place = origin and origin.worker == me and origin or me
  local err = place.err
  if not err then
    err = errors.new("cancelled", "cancelled: " .. cause.reason, { reason = cause.reason })
    place.err = err
  end
  return err
end
Scope.cancelled_error = cancelled_error

---Raises what the running worker's innermost scope is under.
local function raise(me)
  local cause = me.scope.cancel
  if cause == LOADING then
    return errors.throw(
      "not_while_loading",
      "a script cannot spawn, wait or talk to the outside while it loads, save for fs.read, "
        .. "fs.list, fs.glob, "
        .. "fs.stat, env, json and log; do it in swarm.main or in a worker"
    )
  end
  return error(cancelled_error(me), 0)
end
Scope.raise = raise

---For the calls that a cancel does not stop, but that have no meaning while a script loads.
function Scope.not_while_loading()
  local me = S.current
  if me.scope.cancel == LOADING then
    raise(me)
  end
end

---Wakes a parked worker for a cancel. What it waits for may have a say: a request waits for the
---port's clean-up.
local function interrupt(w)
  if w == S.current then
    return
  end
  local waiting = w.waiting
  if type(waiting) == "table" and waiting.on_cancel then
    waiting.on_cancel(waiting, w)
  else
    S.wake(w)
  end
end

---A task that is cancelled while its attempt is ending gets no further one.
local function no_retry(w)
  local retries = w.extra and w.extra.retries
  if retries then
    retries.stopped = true
  end
end

---Cancels a scope: its children first, then the blocks open in it and itself, up to any shield. The
---first cause stays; who has its end behind it and only looks at that (hooks, retries) goes on.
---@param target table a live worker's record or a block
---@param cause table { kind, reason, scope }
local function cancel(target, cause)
  local w = target.id and target or target.worker
  if target == w then
    if w.status == "pending" and not w.def.begins then
      return Scope.settle_pending(w, cause)
    elseif cause.kind ~= "timeout" or cause.scope ~= w then
      no_retry(w)
    end
    local before = w.cancel
    if (before and before ~= LOADING) or (w.extra and w.extra.ending) then
      return
    end
  end
  local inner = w.scope
  local scope = inner
  while scope ~= target do
    if scope.shielded then
      inner = scope.outer
    end
    scope = scope.outer
  end
  scope = inner
  while true do
    local before = scope.cancel
    if not before or before == LOADING then
      scope.cancel = cause
      Scope.cancel_children(scope, cause)
      local extra = scope.extra
      if extra and extra.cancel_waiters then
        S.ready_all(extra.cancel_waiters)
      end
    end
    if scope == target then
      break
    end
    scope = scope.outer
  end
  if w.scope.cancel then
    interrupt(w)
  end
end
Scope.cancel = cancel

---Cancels the live children of a scope, save for scripts that load: only the run's end stops those.
function Scope.cancel_children(scope, cause)
  local child = scope.first_child
  while child do
    local following = child.sib_next
    if child.cancel ~= LOADING then
      cancel(child, cause)
    end
    child = following
  end
end

---Cancels a worker and all below it, through every shield: who had time for clean-up has used it
---up. Settled hooks go on; their own few seconds bound them.
function Scope.pierce(w, cause)
  local extra = w.extra or {}
  if w.status == "pending" and not w.def.begins then
    return Scope.settle_pending(w, cause)
  end
  no_retry(w)
  if extra.ending then
    return
  end
  w.extra, extra.pierced = extra, true -- no shield opens from here on
  local scope = w.scope
  while scope do
    scope.cancel = scope.cancel or cause
    local child = scope.first_child
    while child do
      local following = child.sib_next
      Scope.pierce(child, cause)
      child = following
    end
    scope = scope.outer
  end
  interrupt(w)
end

---Whether a worker has used up its time for clean-up. Its settled hooks have a time of their own.
function Scope.is_pierced(w)
  local extra = w.extra
  return extra ~= nil and extra.pierced == true and not extra.ending
end

local function expire(node)
  local scope = node.scope
  cancel(scope, { kind = "timeout", reason = node.reason, scope = scope })
end

---Sets a scope's deadline; S.drop_timer takes it away.
---@param scope table
---@param seconds number from now
---@param reason string
function Scope.arm(scope, seconds, reason)
  local when = clock.monotonic() + seconds
  local node = { expire = expire, scope = scope, reason = reason, pos = nil, at = when }
  scope.deadline = node
  S.set_timer(node, when)
end

---The nearest deadline over a worker, on the monotonic clock, or nil.
function Scope.nearest_deadline(w)
  local nearest
  local scope = w.scope or w
  while scope do
    local deadline = scope.deadline
    if type(deadline) == "table" and (not nearest or deadline.at < nearest) then
      nearest = deadline.at
    end
    if scope.shielded and not scope.supervises then
      return nearest
    end
    scope = scope.outer or scope.owner
  end
  return nearest
end

-- Children ----------------------------------------------------------------------------------------

function Scope.adopt(owner, w)
  local first = owner.first_child
  if first then
    first.sib_prev = w
    w.sib_next = first
  end
  owner.first_child = w
end

local function unlink(owner, w, list)
  local before, after = w.sib_prev, w.sib_next
  if before then
    before.sib_next = after
  else
    owner[list] = after
  end
  if after then
    after.sib_prev = before
  end
  w.sib_prev, w.sib_next = nil, nil
end

function Scope.release(owner, w)
  return unlink(owner, w, "first_child")
end

---Keeps a settled child whose failure, or what failed below it while it was cancelled, nobody has
---taken yet.
function Scope.keep_failed(owner, w)
  local first = owner.failed
  if first then
    first.sib_prev = w
    w.sib_next = first
  end
  owner.failed = w
  w.owned = false
end

---Somebody was handed this worker's failure: it is theirs now.
function Scope.own(w)
  if w.owned == false then
    unlink(w.owner, w, "failed")
  end
  w.owned = true
end

---Takes all failures of a scope that nobody took: they are told of in an error of their own.
function Scope.forget_failed(scope)
  while scope.failed do
    Scope.own(scope.failed)
  end
end

---The errors of the children whose failure nobody took, in the order in which they failed.
---@return table?
function Scope.unowned(scope)
  local w = scope.failed
  if not w then
    return nil
  end
  local errs, n = {}, 0
  while w do
    local err = w.err
    if w.status == "cancelled" then
      for i = #err.others, 1, -1 do
        n = n + 1
        errs[n] = err.others[i]
      end
    else
      n = n + 1
      errs[n] = err
    end
    w = w.sib_next
  end
  for i = 1, n / 2 do
    errs[i], errs[n + 1 - i] = errs[n + 1 - i], errs[i]
  end
  return errs
end

---Attaches to an error of one's own another that would be lost beside it.
function Scope.add_other(err, other)
  local list = rawget(err, "others")
  if type(list) ~= "table" then
    list = {}
    rawset(err, "others", list)
  end
  list[#list + 1] = other
end

---An error with those attached that would be lost beside it: the same, or one made from it.
---@param err any
---@param others table? list of errors
---@return any err
function Scope.with_others(err, others)
  local own
  for i = 1, type(others) == "table" and #others or 0 do
    if not rawequal(others[i], err) then
      own = own or raised.writable(err)
      Scope.add_other(own, others[i])
    end
  end
  return own or err
end

---The error of a scope whose children failed and nobody joined them.
function Scope.children_failed(errs)
  local message = (#errs == 1 and "a worker failed" or #errs .. " workers failed")
    .. ", and nobody joined "
    .. (#errs == 1 and "it: " or "them; the first: ")
    .. errors.headline(errs[1])
  return errors.new("children_failed", message, { errors = errs })
end

---Calls `visit` for each live worker below a scope, those above before those below them.
function Scope.each_live(scope, visit)
  local child = scope.first_child
  while child do
    local following = child.sib_next
    visit(child)
    local inner = child.scope
    while inner do
      Scope.each_live(inner, visit)
      inner = inner.outer
    end
    child = following
  end
end

-- What a worker waits for while its children settle, for the reports of deadlocks.
Scope.CHILDREN = { what = "its children" }

---Has `node.close(node)` called once nothing but children is left of a scope: for those among them
---that stay for as long as somebody may want something of them. S.remove(node) takes it back.
function Scope.at_end(scope, node)
  local extra = scope.extra or {}
  scope.extra = extra
  extra.residents = extra.residents or { head = nil, tail = nil }
  S.push_back(extra.residents, node)
end

---Waits until a scope's children have settled.
---@return boolean done false: a C function is in the way
function Scope.wait_children(me, scope)
  local residents = scope.extra and scope.extra.residents
  while residents and residents.head do
    local node = residents.head
    S.remove(node)
    node.close(node)
  end
  while scope.first_child do
    if not S.park(me, Scope.CHILDREN) then
      return false
    end
  end
  return true
end

return Scope
