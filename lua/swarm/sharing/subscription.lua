-- swarm.subscribe: the events of the run, for a worker, as they come. One that does not read them
-- loses the oldest. A subscription ends with its worker; and where nobody is left but those who
-- wait for events, as nothing can come any more.
local cancelling = require "swarm.scope.cancel"
local errors = require "swarm.ground.errors"
local events = require "swarm.events.run"
local gate = require "swarm.rights.gate"
local glob = require "swarm.ground.glob"
local S = require "swarm.scheduler.scheduler"
local settling = require "swarm.worker.settle"
local shown = require "swarm.ground.shown"
local types = require "swarm.events.types"
local values = require "swarm.values.values"
local waiting = require "swarm.scope.waiting"
local pairs, type = pairs, type

local subscriptions = {}

local MOST = 10000 -- events that a worker has not read

local live = {} -- subscription → true

local WAITS = { what = "events of the run" }

---What says whether an event is wanted, from what an author wrote.
---@return function? selects nil: all are
local function selector(select)
  if select == nil or type(select) == "function" then
    return select
  end
  local globs = type(select) == "string" and { select } or select
  if type(globs) ~= "table" then
    return errors.throw(
      "invalid_argument",
      'swarm.subscribe takes a type of events, such as "task_*", a list of these or a function, '
        .. "and got "
        .. shown.value(select)
    )
  end
  types.check(globs, "swarm.subscribe")
  return function(event)
    return glob.any(globs, event.type)
  end
end

local function hear(one, event)
  if one.by_type and not one.selects(event) then
    return
  end
  if one.last - one.first + 1 == MOST then
    one.items[one.first] = nil
    one.first, one.dropped = one.first + 1, one.dropped + 1
  end
  one.last = one.last + 1
  one.items[one.last] = values.copy(event, "event")
  local waiter = one.waiters.head
  if waiter then
    S.wake(waiter)
  end
end

local function close(one)
  if live[one] then
    live[one] = nil
    one.over = true
    events.unlisten(one.hear)
    local waiter = one.waiters.head
    if waiter then
      S.wake(waiter)
    end
  end
end

---The next event that is wanted, or nil at the end.
local function following(one)
  local me = cancelling.enter()
  while true do
    while one.first <= one.last do
      local event = one.items[one.first]
      one.items[one.first] = nil
      one.first = one.first + 1
      if one.dropped > 0 then
        event.dropped, one.dropped = one.dropped, 0
      end
      if one.by_type or not one.selects or one.selects(event) then
        return event
      end
    end
    if one.over then
      return nil
    end
    one.first, one.last = 1, 0
    waiting.in_list(me, one.waiters, WAITS, "swarm.subscribe")
  end
end

---swarm.subscribe(select?), verb subscribe_events → iterator of events of the run from now on.
---@param select string|string[]|function|nil types of events, or function(event) → boolean
---@return function
function subscriptions.subscribe(select)
  cancelling.not_while_loading()
  local me = S.current
  gate.check(me, "subscribe_events")
  local one = {
    selects = selector(select),
    by_type = select ~= nil and type(select) ~= "function",
    items = {},
    first = 1,
    last = 0,
    dropped = 0,
    over = false,
    waiters = { head = nil, tail = nil },
    hear = nil,
  }
  function one.hear(event)
    return hear(one, event)
  end
  live[one] = true
  events.listen(one.hear)
  settling.watch(me.task, {
    settled = function()
      close(one)
    end,
    queue = false,
    queue_prev = nil,
    queue_next = nil,
  })
  return function()
    return following(one)
  end
end

---Nothing can come any more: who waits for events goes on.
---@return boolean whether there was anybody
function subscriptions.close_all()
  local any = false
  for one in pairs(live) do
    any = any or one.waiters.head ~= nil
    close(one)
  end
  return any
end

return subscriptions
