-- swarm.each: an iterator over workers in the order in which they settle. It owns no failure and
-- cancels nobody; its functions are children of the block that it is called in. Whoever leaves the
-- loop early leaves its nodes in the lists of the workers' watchers: they hold the iterator weakly,
-- and dead ones are cleared away when there are as many as live ones.
local Group = require "swarm.structure.group"
local S = require "swarm.scheduler.scheduler"
local Scope = require "swarm.scope.scope"
local Settle = require "swarm.worker.settle"
local W = require "swarm.worker.spawn"
local gate = require "swarm.rights.gate"
local members = require "swarm.structure.members"
local site = require "swarm.ground.site"
local waits = require "swarm.scope.waits"

local take_site, FORMAT, LEVELS = site.take, site.FORMAT, site.LEVELS
local setmetatable, type = setmetatable, type

local CLEAR_AT = 16 -- nodes of a worker, before anybody looks for dead ones
local WEAK = { __mode = "v" }

local function describe(state)
  return Group.describe("swarm.each", state.live, function(visit)
    for i = 1, state.n do
      if state.members[i] and visit(state.members[i]) then
        return
      end
    end
  end)
end

local function put(state, i, w)
  local last = state.last + 1
  state.last = last
  state.indices[last], state.ended[last] = i, w
end

local function settled(node, w)
  local state = node.ref.state
  if not state then
    return -- the loop is over
  end
  state.live = state.live - 1
  state.members[node.index] = nil
  put(state, node.index, w)
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
      S.remove(node)
    elseif node.ref then
      left = left + 1
    end
    node = following
  end
  return left
end

local function watch(state, w, i, node_meta)
  local node = { index = i, queue = false, queue_prev = nil, queue_next = nil }
  Settle.watch(w, setmetatable(node, node_meta))
  state.live = state.live + 1
  state.members[i] = w
  local extra = w.extra
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
        Group.hasten(state.members[i])
      end
    end
  end
  S.push_back(state.waiters, me)
  local parked = S.park(me, state)
  if me.queue then
    S.remove(me)
  end
  if me.scope.cancel then
    local other = state.waiters.head
    if other and state.first <= state.last then
      S.ready(other) -- what this worker was woken for is another's
    end
    Scope.raise(me)
  elseif not parked then
    waits.barred "swarm.each"
  end
end

local function next_ended(state)
  local me = S.current
  if me.scope.cancel then
    Scope.raise(me)
  end
  while state.first > state.last do
    if state.live == 0 then
      return nil
    end
    wait(state, me)
  end
  local k = state.first
  state.first = k + 1
  local i, w = state.indices[k], state.ended[k]
  state.indices[k], state.ended[k] = nil, nil
  return i, w.handle
end

---swarm.each(list) → iterator of i, h in the order in which they settle
return function(list, extra)
  local taken = take_site(FORMAT, LEVELS)
  local me = S.current
  if me.scope.cancel then
    Scope.raise(me)
  end
  gate.check(me, "poll_task")
  members.check_no_more(extra, "swarm.each")
  local entries, n, already = members.read(list, "swarm.each", me, false)
  local state = {
    n = n,
    live = 0,
    members = {}, -- index → record, of the live ones
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
    local w = entries[i]
    if type(w) == "function" then
      local _
      _, w = W.spawn_into(me.scope, me, w, nil, nil, taken)
    end
    if w.scope then
      watch(state, w, i, node_meta)
    end
  end
  return function()
    return next_ended(state)
  end
end
