-- A group: the workers that one call of swarm.all or its like waits for. Its functions are spawned
-- into a block of the call's own; handles stay where they belong. A node in each member's list of
-- watchers tells the group of its end, and the group wakes the parked caller when there is
-- something to decide: O(1) for each end, and no worker but the members.
--
-- A call decides once: `over` is set, by its `ended` function, as a member settles. After that the
-- losers are cancelled and waited for, whatever happens to the caller meanwhile.
local cancelling = require "swarm.scope.cancel"
local ends = require "swarm.scope.ends"
local errors = require "swarm.ground.errors"
local list = require "swarm.ground.list"
local record = require "swarm.scheduler.record"
local S = require "swarm.scheduler.scheduler"
local scopes = require "swarm.scope.scope"
local settling = require "swarm.worker.settle"
local spawning = require "swarm.worker.spawn"
local waiting = require "swarm.scope.waiting"

local format, concat, type = string.format, table.concat, type
local error, rawget, setmetatable = error, rawget, setmetatable

local groups = {}

local SHOWN = 5 -- members that a report of a deadlock names

---Calls visit(worker) for every member that is live, until it returns true.
local function some_live(group, visit)
  local child = group.scope and group.scope.first_child
  while child do
    if visit(child) then
      return true
    end
    child = child.sib_next
  end
  local nodes = group.nodes
  for i = 1, #nodes do
    if nodes[i].queue and visit(nodes[i].task.worker) then
      return true
    end
  end
  return false
end

---What a group waits for, for the reports of deadlocks.
---@param call string
---@param live integer
---@param visit_live function(visit) calls visit(worker) for each until it returns true
function groups.describe(call, live, visit_live)
  if live == 0 then
    return "the workers of " .. call -- they have settled, and who waits is about to go on
  end
  local shown = {}
  visit_live(function(w)
    shown[#shown + 1] = format("%s (T-%d)", record.named(w.task), w.task.id)
    return #shown == SHOWN
  end)
  local more = live - #shown
  return format("%d worker%s of %s: ", live, live == 1 and "" or "s", call)
    .. concat(shown, ", ")
    .. (more > 0 and format(" and %d more", more) or "")
end

local function describe(group)
  return groups.describe(group.call, group.live, function(visit)
    return some_live(group, visit)
  end)
end

local function settled(node, task)
  local group = node.group
  local live = group.live - 1
  group.live = live
  group.ended(group, node.index, task)
  if group.parked and (live == 0 or (not group.ending and (group.over or group.eager))) then
    S.ready(group.me)
  end
end

---@param call string such as "swarm.all"
---@param me table the running worker
---@param ended function(group, index, task) called as each member settles
---@param needs_all boolean whether it goes on only when all have settled
function groups.new(call, me, taken, ended, needs_all)
  local group = {
    call = call,
    me = me,
    taken = taken,
    ended = ended,
    some_live = needs_all and some_live or nil,
    describe = describe,
    scope = nil, -- the block
    nodes = {}, -- of the handles
    node_meta = nil,
    live = 0,
    over = false, -- decided
    ending = false, -- the losers are waited for
    eager = false, -- wants to be woken at each end
    parked = false,
    keep_going = nil, -- a failure decides nothing
    first = nil, -- the member whose failure is raised
    failures = {}, -- members that failed
  }
  -- What all nodes share. While `owns` is true a failure is the group's affair, and not logged.
  local shared = { group = group, settled = settled, owns = true }
  shared.__index = shared
  group.node_meta = shared
  return group
end

---Joins have the same: a worker that has not begun goes first.
function groups.hasten(task)
  local w = task.worker
  if w and w.co == nil and w.waiting == nil then
    S.ready(w)
  end
end

---Spawns a member.
---@param extra table? what its task has from the start
---@return table task
function groups.spawn(group, i, name, input, extra)
  local _, task = spawning.named(group.scope, group.me, name, input, nil, group.taken, nil, extra)
  local node = { index = i, queue = false, queue_prev = nil, queue_next = nil }
  settling.watch(task, setmetatable(node, group.node_meta))
  group.live = group.live + 1
  return task
end

---Takes a list that members.read has read: what has settled counts first, and where that decides,
---nothing is started.
function groups.start(group, entries, n, already)
  local ended = group.ended
  group.scope = group.me.scope
  for k = 1, already and #already or 0 do
    local i = already[k]
    ended(group, i, entries[i])
  end
  local over = group.over
  for i = 1, over and 0 or n do
    if type(entries[i]) == "function" then
      entries[i] = groups.spawn(group, i, entries[i])
    end
  end
  for i = 1, n do
    local task = entries[i]
    local w = type(task) == "table" and task.worker
    if w and w.owner ~= group.scope then
      local node = { index = i, task = task, queue = false, queue_prev = nil, queue_next = nil }
      settling.watch(task, setmetatable(node, group.node_meta))
      group.live = group.live + 1
      group.nodes[#group.nodes + 1] = node
    end
  end
  for i = n, 1, -1 do
    if not over then
      groups.hasten(entries[i]) -- the first of the list comes to the front last
    end
    entries[i] = nil -- who has settled can go
  end
end

---Forgets the handles: who gives up waiting leaves them alone.
local function let_go(group)
  local nodes = group.nodes
  for i = 1, #nodes do
    if nodes[i].queue then
      list.remove(nodes[i])
    end
  end
end
groups.let_go = let_go

local function park(group)
  group.parked = true
  local parked = S.park(group.me, group)
  group.parked = false
  return parked
end

---Raises where the caller is cancelled, unless a failure came first: a cancel never hides that.
local function check_cancel(group)
  local first = group.first
  if group.scope.cancel and not (first and first.status ~= "cancelled") then
    let_go(group)
    return cancelling.raise(group.me)
  end
end
groups.check_cancel = check_cancel

---Waits until the group is over, or no member is left; with `eager`, for the next end.
function groups.wait(group)
  while not group.over and group.live > 0 do
    local parked = park(group)
    check_cancel(group)
    if not parked then
      let_go(group)
      return waiting.barred(group.call)
    elseif group.eager then
      return
    end
  end
end

---Cancels the members left and waits until they have settled.
---@param reason string
function groups.end_losers(group, reason)
  group.ending = true
  local cause = { kind = "sibling", reason = reason, scope = nil }
  cancelling.children(group.scope, cause)
  local nodes = group.nodes
  for i = 1, #nodes do
    if nodes[i].queue then
      cancelling.cancel(nodes[i].task.worker, cause)
    end
  end
  while group.live > 0 do
    if not park(group) then
      let_go(group)
      return
    end
  end
end

---Keeps a member that has a failure to deliver: its own, or what broke below a cancelled one.
function groups.keep_failed(group, task)
  local status = task.status
  if status == "failed" or status == "timeout" or ends.others(task) then
    group.failures[#group.failures + 1] = task
  end
end

---A member that did not run to completion, in a call that needs all of them to.
function groups.fail(group, task)
  groups.keep_failed(group, task)
  if not group.over and not group.scope.cancel then
    group.over, group.first = true, task
  end
end

---The failures of members are delivered with the call.
function groups.own(group)
  local failures = group.failures
  for i = 1, #failures do
    scopes.own(failures[i])
  end
end

---What an error and all copies of it have in common.
local function identity(err)
  return errors.known[err] or err
end

---Raises the first failure, once the losers have settled, with all others attached.
function groups.raise_first(group)
  groups.end_losers(group, "another worker of " .. group.call .. " did not pass")
  groups.check_cancel(group)
  groups.own(group)
  local first = group.first
  local err = scopes.error_for(first, group.me.rights)
  local known = { [identity(err)] = true }
  local before = rawget(err, "others")
  for i = 1, type(before) == "table" and #before or 0 do
    if type(before[i]) == "table" then
      known[identity(before[i])] = true
    end
  end
  local others = {}
  for i = 1, #group.failures do
    local other = group.failures[i].extra.err
    if not known[identity(other)] then
      known[identity(other)] = true
      others[#others + 1] = scopes.error_for(group.failures[i], group.me.rights)
    end
  end
  return error(scopes.with_others(err, others), 0)
end

return groups
