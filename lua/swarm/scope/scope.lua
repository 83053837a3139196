-- Scopes: who belongs to whom. A scope is what is cancelled and what waits for its children. Every
-- worker is one; `scope`, `timeout` and `shield` open further ones inside it. Both have: `cancel`
-- (the cause that reached it, or nil), `outer` (the enclosing scope of the same worker; a worker
-- has none), `first_child` (live workers) and `failed` (tasks whose failure nobody has taken). A
-- block also has `worker` and what new_block declares.
local clock = require "swarm.ground.clock"
local ends = require "swarm.scope.ends"
local errors = require "swarm.ground.errors"
local list = require "swarm.ground.list"
local raised = require "swarm.ground.raised"
local record = require "swarm.scheduler.record"
local S = require "swarm.scheduler.scheduler"
local push_back, remove = list.push_back, list.remove
local type = type
local rawget, rawset = rawget, rawset

local scopes = {}

---The scope of a run: owns `main`, what Python spawns, and what is detached.
local root = { cancel = nil, first_child = nil, failed = nil }
scopes.root = root

---A scope that a worker opens inside its own.
---@param worker table
---@param outer table the scope around it
---@param what string as messages name it
---@param shielded boolean whether cancels from outside stop here
---@return table
function scopes.new_block(worker, outer, what, shielded)
  return {
    worker = worker,
    outer = outer,
    cancel = nil,
    shielded = shielded,
    nursery = false, -- a failed child cancels the rest
    supervises = false, -- a supervisor's: the deadlines of its children are those around it
    first_child = nil,
    failed = nil,
    first_error = nil, -- of a nursery
    closed = false,
    cancelled = nil, -- the error that its own cause raised
    clean_up_till = nil, -- when its clean-up must be over, once it is cancelled
    deadline = nil, -- a timer, or nil
    what = what,
    co = nil, -- the coroutine that it is open in
    residents = nil, -- see at_end
  }
end

-- Children ----------------------------------------------------------------------------------------

function scopes.adopt(owner, w)
  local first = owner.first_child
  if first then
    first.sib_prev = w
    w.sib_next = first
  end
  owner.first_child = w
end

function scopes.release(owner, w)
  local before, after = w.sib_prev, w.sib_next
  if before then
    before.sib_next = after
  else
    owner.first_child = after
  end
  if after then
    after.sib_prev = before
  end
  w.sib_prev, w.sib_next = nil, nil
end

---Calls `visit` for each live worker below a scope, those above before those below them.
function scopes.each_live(scope, visit)
  local child = scope.first_child
  while child do
    local following = child.sib_next
    visit(child)
    local inner = child.scope
    while inner do
      scopes.each_live(inner, visit)
      inner = inner.outer
    end
    child = following
  end
end

-- What a worker waits for while its children settle, for the reports of deadlocks.
scopes.CHILDREN = { what = "its children" }

---Has `node.close(node)` called once nothing but children is left of a scope: for those among them
---that stay for as long as somebody may want something of them. list.remove(node) takes it back.
function scopes.at_end(scope, node)
  local keeper = scope.task and record.extra(scope.task) or scope
  keeper.residents = keeper.residents or { head = nil, tail = nil }
  push_back(keeper.residents, node)
end

local function close_residents(scope)
  local keeper = scope.task and scope.task.extra or scope
  local residents = keeper.residents
  while residents and residents.head do
    local node = residents.head
    remove(node)
    node.close(node)
  end
end

---Waits until a scope's children have settled.
---@return boolean done false: a C function is in the way
function scopes.wait_children(me, scope)
  close_residents(scope)
  local before = scopes.begin_standing_still(me)
  while scope.first_child do
    if not S.park(me, scopes.CHILDREN) then
      return false
    end
  end
  scopes.end_standing_still(me, before)
  return true
end

---The clock of a worker that swallows its cancel (cancel.lua) stands still while it waits for what
---the host has to do: from here to end_standing_still.
---@return number? before
function scopes.begin_standing_still(me)
  local extra = me.task.extra
  return extra and extra.swallowing and clock.monotonic()
end

function scopes.end_standing_still(me, before)
  local swallowing = before and me.task.extra.swallowing
  if swallowing then
    swallowing.since = swallowing.since + clock.monotonic() - before
  end
end

-- Failures ----------------------------------------------------------------------------------------

---Keeps a task that has settled, and whose failure, or what failed below it while it was cancelled,
---nobody has taken yet.
function scopes.keep_failed(owner, task)
  local node = { task = task, queue = false, queue_prev = nil, queue_next = nil }
  owner.failed = owner.failed or { head = nil, tail = nil }
  push_back(owner.failed, node)
  task.extra.unowned = node
end

---Somebody was handed this task's failure, or will be: it is theirs.
function scopes.own(task)
  local extra = record.extra(task)
  local node = extra.unowned
  if node then
    remove(node)
    extra.unowned = nil
  end
  extra.owned = true
end

---Whether tasks are left whose failure nobody took.
function scopes.has_failed(scope)
  local failed = scope.failed
  return failed ~= nil and failed.head ~= nil
end

---How a task ended, for a worker with these rights to read. Those with the same rights read one
---table, others another copy: what somebody puts into it runs nothing with the rights of another.
---@return table? err
function scopes.error_for(task, rights)
  local err = ends.err(task)
  if not err then
    return nil
  end
  local extra = task.extra
  local handed = extra.handed
  if not handed then
    handed = {}
    extra.handed = handed
  end
  local copy = handed[rights]
  if not copy then
    copy = raised.crossing(err)
    handed[rights] = copy
  end
  return copy
end

---Takes all failures of a scope that nobody took: they are told of in an error of their own.
function scopes.forget_failed(scope)
  local failed = scope.failed
  while failed and failed.head do
    scopes.own(failed.head.task)
  end
end

---Adds what may be an error: a script may have put anything into one's list of others.
local function add_tables(errs, others)
  for i = 1, type(others) == "table" and #others or 0 do
    local other = rawget(others, i)
    if type(other) == "table" then
      errs[#errs + 1] = other
    end
  end
end

---The errors of the tasks whose failure nobody took, in the order in which they failed.
---@return table?
function scopes.unowned(scope)
  if not scopes.has_failed(scope) then
    return nil
  end
  local errs, node = {}, scope.failed.head
  while node do
    local task = node.task
    local err = task.extra.err
    if task.status == "cancelled" then
      add_tables(errs, raised.crossing(err).others)
    else
      errs[#errs + 1] = raised.crossing(err)
    end
    node = node.queue_next
  end
  return errs[1] and errs
end

---Attaches to an error of one's own another that would be lost beside it.
function scopes.add_other(err, other)
  local others = rawget(err, "others")
  if type(others) ~= "table" then
    others = {}
    rawset(err, "others", others)
  end
  others[#others + 1] = other
end

---An error with those attached that would be lost beside it: the same, or one made from it.
---@param err any
---@param others table? list of errors
---@return any err
function scopes.with_others(err, others)
  local own
  for i = 1, type(others) == "table" and #others or 0 do
    local other = rawget(others, i)
    if type(other) == "table" and not errors.same(other, err) then
      own = own or raised.writable(err)
      scopes.add_other(own, other)
    end
  end
  return own or err
end

---The error of a scope whose children failed and nobody joined them.
function scopes.children_failed(errs)
  local message = (#errs == 1 and "a worker failed" or #errs .. " workers failed")
    .. ", and nobody joined "
    .. (#errs == 1 and "it: " or "them; the first: ")
    .. errors.headline(errs[1])
  return errors.new("children_failed", message, { errors = errs })
end

return scopes
