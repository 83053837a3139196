-- A group: the workers that one call of swarm.all or its like waits for. Its functions are spawned
-- into a block of the call's own; handles stay where they belong. A node in each member's list of
-- watchers tells the group of its end, and the group wakes the parked caller when there is
-- something to decide: O(1) for each end, and no worker but the members.
--
-- A call decides once: `over` is set, by its `ended` function, as a member settles. After that the
-- losers are cancelled and waited for, whatever happens to the caller meanwhile.
local S = require "swarm.scheduler.scheduler"
local Scope = require "swarm.scope.scope"
local Settle = require "swarm.worker.settle"
local W = require "swarm.worker.spawn"
local handles = require "swarm.worker.handle"
local waits = require "swarm.scope.waits"

local format, concat, type = string.format, table.concat, type
local setmetatable = setmetatable

local Group = {}

local SHOWN = 5 -- members that a report of a deadlock names

---Calls visit(w) for every member that is live, until it returns true.
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
    if nodes[i].queue and visit(nodes[i].w) then
      return true
    end
  end
  return false
end

---What a group waits for, for the reports of deadlocks.
---@param call string
---@param live integer
---@param visit_live function(visit) calls visit(w) for each until it returns true
function Group.describe(call, live, visit_live)
  if live == 0 then
    return "the workers of " .. call -- they have settled, and who waits is about to go on
  end
  local list = {}
  visit_live(function(w)
    list[#list + 1] = format("%s (T-%d)", handles.label(w), w.id)
    return #list == SHOWN
  end)
  local more = live - #list
  return format("%d worker%s of %s: ", live, live == 1 and "" or "s", call)
    .. concat(list, ", ")
    .. (more > 0 and format(" and %d more", more) or "")
end

local function describe(group)
  return Group.describe(group.call, group.live, function(visit)
    return some_live(group, visit)
  end)
end

local function settled(node, w)
  local group = node.group
  local live = group.live - 1
  group.live = live
  group.ended(group, node.index, w)
  if group.parked and (live == 0 or (not group.ending and (group.over or group.eager))) then
    S.ready(group.me)
  end
end

---@param call string such as "swarm.all"
---@param me table the running worker
---@param ended function(group, index, w) called as each member settles
---@param needs_all boolean whether it goes on only when all have settled
function Group.new(call, me, taken, ended, needs_all)
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
function Group.hasten(w)
  if w.scope and w.co == nil and w.waiting == nil then
    S.ready(w)
  end
end

---Spawns a member.
---@return table w
function Group.spawn(group, i, name, input)
  local _, w = W.spawn_into(group.scope, group.me, name, input, nil, group.taken)
  local node = { index = i, queue = false, queue_prev = nil, queue_next = nil }
  Settle.watch(w, setmetatable(node, group.node_meta))
  group.live = group.live + 1
  return w
end

---Takes a list that members.read has read: what has settled counts first, and where that decides,
---nothing is started.
function Group.start(group, entries, n, already)
  local ended = group.ended
  group.scope = group.me.scope
  for k = 1, already and #already or 0 do
    local i = already[k]
    ended(group, i, entries[i])
  end
  local over = group.over
  for i = 1, over and 0 or n do
    if type(entries[i]) == "function" then
      entries[i] = Group.spawn(group, i, entries[i])
    end
  end
  for i = 1, n do
    local w = entries[i]
    if type(w) == "table" and w.scope and w.owner ~= group.scope then
      local node = { index = i, w = w, queue = false, queue_prev = nil, queue_next = nil }
      Settle.watch(w, setmetatable(node, group.node_meta))
      group.live = group.live + 1
      group.nodes[#group.nodes + 1] = node
    end
  end
  for i = n, 1, -1 do
    if not over then
      Group.hasten(entries[i]) -- the first of the list comes to the front last
    end
    entries[i] = nil -- who has settled can go
  end
end

---Forgets the handles: who gives up waiting leaves them alone.
local function let_go(group)
  local nodes = group.nodes
  for i = 1, #nodes do
    if nodes[i].queue then
      S.remove(nodes[i])
    end
  end
end
Group.let_go = let_go

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
    return Scope.raise(group.me)
  end
end
Group.check_cancel = check_cancel

---Waits until the group is over, or no member is left; with `eager`, for the next end.
function Group.wait(group)
  while not group.over and group.live > 0 do
    local parked = park(group)
    check_cancel(group)
    if not parked then
      let_go(group)
      return waits.barred(group.call)
    elseif group.eager then
      return
    end
  end
end

---Cancels the members left and waits until they have settled.
---@param reason string
function Group.end_losers(group, reason)
  group.ending = true
  local cause = { kind = "sibling", reason = reason, scope = nil }
  Scope.cancel_children(group.scope, cause)
  local nodes = group.nodes
  for i = 1, #nodes do
    local w = nodes[i].queue and nodes[i].w
    if w then
      Scope.cancel(w, cause)
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
function Group.keep_failed(group, w)
  local status = w.status
  if status == "failed" or status == "timeout" or (status == "cancelled" and w.err.others) then
    group.failures[#group.failures + 1] = w
  end
end

---A member that did not run to completion, in a call that needs all of them to.
function Group.fail(group, w)
  Group.keep_failed(group, w)
  if not group.over and not group.scope.cancel then
    group.over, group.first = true, w
  end
end

---The failures of members are delivered with the call.
function Group.own(group)
  local failures = group.failures
  for i = 1, #failures do
    Scope.own(failures[i])
  end
end

return Group
