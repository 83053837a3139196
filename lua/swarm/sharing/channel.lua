-- Channels: values from worker to worker, first in first out, copied as they cross. What is held
-- lies in a ring that doubles when it is full and halves when three quarters are empty, so that it
-- costs what it holds. Where somebody waits to receive, nothing is held; where somebody waits to
-- send, the ring is full.
local arguments = require "swarm.ground.arguments"
local cancelling = require "swarm.scope.cancel"
local errors = require "swarm.ground.errors"
local made = require "swarm.sharing.made"
local opaque = require "swarm.ground.opaque"
local S = require "swarm.scheduler.scheduler"
local site = require "swarm.ground.site"
local values = require "swarm.values.values"
local waiting = require "swarm.scope.waiting"
local table_new = require "table.new"

local take_site, FORMAT, LEVELS = site.take, site.FORMAT, site.LEVELS
local copy, null, raise = values.copy, values.null, cancelling.raise
local give, wait = waiting.hand, waiting.for_handover
local record_of, wanted = made.used, opaque.wanted

local MOST = 1000000000 -- values that a channel may hold: it is always bounded
local SMALL = 16 -- slots of a ring that is not worth shrinking

local Channel = opaque.kind("channel", {
  put = "send",
  push = "send",
  write = "send",
  publish = "send",
  get = "recv",
  receive = "recv",
  pop = "recv",
  read = "recv",
  take = "recv",
  pairs = "iter",
  ipairs = "iter",
  values = "iter",
  finish = "close",
  stop = "close",
})
local methods = Channel.methods

-- The ring ----------------------------------------------------------------------------------------

local function resize(channel, size)
  local old, old_size, first = channel.slots, channel.size, channel.first
  local slots = table_new(size, 0)
  for i = 1, channel.count do
    slots[i] = old[first]
    first = first == old_size and 1 or first + 1
  end
  channel.slots, channel.size, channel.first = slots, size, 1
end

local function put(channel, value)
  local count = channel.count
  if count == channel.size then
    resize(channel, count == 0 and SMALL or count * 2)
  end
  local at, size = channel.first + count, channel.size
  channel.slots[at > size and at - size or at] = value
  channel.count = count + 1
end

local function take(channel)
  local slots, first, size = channel.slots, channel.first, channel.size
  local value, count = slots[first], channel.count - 1
  slots[first] = nil
  channel.first = first == size and 1 or first + 1
  channel.count = count
  if size > SMALL and count * 4 <= size then
    resize(channel, size / 2)
  end
  return value
end

-- Sending and receiving ---------------------------------------------------------------------------

local VALUE, ROOM, RECEIVER = "a value from", "room in", "a receiver of"

local function throw_closed(channel, what)
  return errors.throw("closed", "the " .. opaque.describe(channel) .. " " .. what)
end

---channel:send(value): waits while the channel is full, or until somebody receives
function methods.send(object, value)
  local channel = record_of(Channel, object, "channel:send(value)")
  local me = S.current
  if me.scope.cancel then
    raise(me)
  end
  value = copy(value, "value")
  if channel.closed then
    return throw_closed(channel, "is closed: nothing can be sent on it any more")
  end
  local receiver = channel.receivers.head
  if receiver then
    give(receiver).value = value
    return
  elseif channel.count < channel.capacity then
    return put(channel, value)
  end
  local what = wanted(channel, channel.capacity > 0 and ROOM or RECEIVER)
  local ticket = { what = what, done = false, value = value, taken = false }
  wait(me, channel.senders, ticket, "channel:send")
  if not ticket.taken then
    if me.scope.cancel then
      raise(me)
    end
    return throw_closed(channel, "was closed while this value waited to be received")
  end
end

local function receive(channel, call)
  local me = S.current
  if me.scope.cancel then
    raise(me)
  end
  local sender = channel.senders.head
  if channel.count > 0 then
    local value = take(channel)
    if sender then
      local ticket = give(sender)
      ticket.taken = true
      put(channel, ticket.value)
    end
    return value, true
  elseif sender then
    local ticket = give(sender)
    ticket.taken = true
    return ticket.value, true
  elseif channel.closed then
    return nil, false
  end
  local ticket = { what = wanted(channel, VALUE), done = false, value = nil, open = true }
  wait(me, channel.receivers, ticket, call)
  return ticket.value, ticket.open
end

---channel:recv() → value, true · nil, false once it is closed and drained
function methods.recv(object)
  return receive(record_of(Channel, object, "channel:recv()"), "channel:recv")
end

---channel:iter() → iterator of the values until the channel is closed and drained. A nil that was
---sent comes as swarm.null: a nil would end the loop.
function methods.iter(object)
  local channel = record_of(Channel, object, "channel:iter()")
  return function()
    local value, open = receive(channel, "channel:iter")
    if value == nil and open then
      return null
    end
    return value
  end
end

---channel:close(): ends the receivers that wait, fails the senders that wait; again: nothing
function methods.close(object)
  local channel = record_of(Channel, object, "channel:close()")
  channel.closed = true
  local receivers, senders = channel.receivers, channel.senders
  while receivers.head do
    give(receivers.head).open = false
  end
  while senders.head do
    give(senders.head)
  end
end

---What is left in a channel that a reload leaves behind; its waiters are told anyway.
function Channel.in_use(channel)
  local count = not channel.closed and channel.count or 0
  return count > 0 and ("it holds %d value%s"):format(count, count == 1 and "" or "s") or nil
end

---swarm.channel(n?) → a channel that holds n values; 0, the default: a sender waits for a receiver
local function new(capacity)
  if capacity == nil then
    capacity = 0
  else
    arguments.whole(capacity, "swarm.channel", 0, MOST)
  end
  return made.seal(Channel, {
    capacity = capacity,
    closed = false,
    slots = nil,
    size = 0,
    first = 1,
    count = 0,
    receivers = { head = nil, tail = nil },
    senders = { head = nil, tail = nil },
  }, take_site(FORMAT, LEVELS))
end

return { new = new }
