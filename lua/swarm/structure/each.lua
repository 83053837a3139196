-- swarm.each: an iterator over workers in the order in which they settle. It owns no failure and
-- cancels nobody; its functions are children of the block that it is called in. Whoever leaves the
-- loop early leaves its nodes in the lists of the workers' watchers: they hold the iterator weakly,
-- and dead ones are cleared away when there are as many as live ones.
local cancelling = require "swarm.scope.cancel"
local gate = require "swarm.rights.gate"
local groups = require "swarm.structure.group"
local list = require "swarm.ground.list"
local members = require "swarm.structure.members"
local S = require "swarm.scheduler.scheduler"
local settling = require "swarm.worker.settle"
local site = require "swarm.ground.site"
local spawning = require "swarm.worker.spawn"
local waiting = require "swarm.scope.waiting"

local take_site, FORMAT, LEVELS = site.take, site.FORMAT, site.LEVELS
local setmetatable, type = setmetatable, type

local CLEAR_AT = 16 -- nodes of a worker, before anybody looks for dead ones
local WEAK = { __mode = "v" }

local function describe(state)
  return groups.describe("swarm.each", state.live, function(visit)
    for i = 1, state.n do
      if state.members[i] and visit(state.members[i].worker) then
        return
      end
    end
  end)
end

local function put(state, i, task)
  local last = state.last + 1
  state.last = last
  state.indices[last], state.ended[last] = i, task
end

local function settled(node, task)
  local state = node.ref.state
  if not state then
    return -- the loop is over
  end
  state.live = state.live - 1
  state.members[node.index] = nil
  put(state, node.index, task)
  if state.live == 0 then
    S.ready_all(state.waiters)
  elseif state.waiters.head then
    S.ready(state.waiters.head)
  end
end

local function clear_dead(watchers)
  local left, node = 0, watchers.head
  while node do
    local following = node.queue_next
    if node.ref and not node.ref.state then
      list.remove(node)
    elseif node.ref then
      left = left + 1
    end
    node = following
  end
  return left
end

local function watch(state, task, i, node_meta)
  local node = { index = i, queue = false, queue_prev = nil, queue_next = nil }
  settling.watch(task, setmetatable(node, node_meta))
  state.live = state.live + 1
  state.members[i] = task
  local extra = task.extra
  local count = (extra.each_nodes or 0) + 1
  if count > (extra.each_most or CLEAR_AT) then
    count = clear_dead(extra.watchers)
    extra.each_most = 2 * count + CLEAR_AT
  end
  extra.each_nodes = count
end

---Waits for the next end.
local function wait(state, me)
  if not state.waited then
    state.waited = true
    for i = state.n, 1, -1 do
      if state.members[i] then
        groups.hasten(state.members[i])
      end
    end
  end
  local parked = waiting.park_in(me, state.waiters, state)
  if me.scope.cancel then
    local other = state.waiters.head
    if other and state.first <= state.last then
      S.ready(other) -- what this worker was woken for is another's
    end
    cancelling.raise(me)
  elseif not parked then
    waiting.barred "swarm.each"
  end
end

local function next_ended(state)
  local me = cancelling.enter()
  while state.first > state.last do
    if state.live == 0 then
      return nil
    end
    wait(state, me)
  end
  local k = state.first
  state.first = k + 1
  local i, task = state.indices[k], state.ended[k]
  state.indices[k], state.ended[k] = nil, nil
  return i, task.handle
end

---swarm.each(list) → iterator of i, h in the order in which they settle
return function(of, extra)
  local taken = take_site(FORMAT, LEVELS)
  local me = cancelling.enter()
  gate.check(me, "poll_task")
  members.check_no_more(extra, "swarm.each")
  local entries, n, already = members.read(of, "swarm.each", me, false)
  local state = {
    n = n,
    live = 0,
    members = {}, -- index → task, of the live ones
    indices = {}, -- of those that have settled and were not handed out, from first to last
    ended = {},
    first = 1,
    last = 0,
    waiters = { head = nil, tail = nil },
    waited = false,
    describe = describe,
  }
  local node_meta = { settled = settled, ref = setmetatable({ state = state }, WEAK) }
  node_meta.__index = node_meta
  for k = 1, already and #already or 0 do
    put(state, already[k], entries[already[k]])
  end
  for i = 1, n do
    local task = entries[i]
    if type(task) == "function" then
      local _
      _, task = spawning.named(me.scope, me, task, nil, nil, taken)
    end
    if task.worker then
      watch(state, task, i, node_meta)
    end
  end
  return function()
    return next_ended(state)
  end
end
