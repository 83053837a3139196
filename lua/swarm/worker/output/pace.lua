-- Readers that a tail waits for. A follower takes what it is given; one that must miss nothing,
-- because it hands on all that comes, enters here, and who fills the tail from outside waits until
-- the slowest of them is near enough.
local deadlock = require "swarm.worker.deadlock"
local errors = require "swarm.ground.errors"
local list = require "swarm.ground.list"
local record = require "swarm.scheduler.record"
local S = require "swarm.scheduler.scheduler"
local waiting = require "swarm.scope.waiting"

local pace = {}

local NEAR = 1000 -- events that a reader may be behind
local NEAR_BYTES = 4 * 1024 * 1024 -- and bytes: a quarter of what a tail holds

---@param tail table
---@return table reader its `seq` is that of the last event that it has read
function pace.enter(tail)
  local readers = tail.readers
  if not readers then
    readers = { head = nil, tail = nil, waiters = { head = nil, tail = nil } }
    tail.readers = readers
  end
  local reader =
    { me = S.current, follows = tail, seq = 0, written = 0, of = readers, queue = false }
  list.push_back(readers, reader)
  return reader
end

---A reader has read all that there is.
function pace.advanced(reader)
  reader.seq, reader.written = reader.follows.seq, reader.follows.written
  return S.ready_all(reader.of.waiters)
end

---A reader wants no more. May be called twice.
function pace.leave(reader)
  if reader.queue then
    list.remove(reader)
    S.ready_all(reader.of.waiters)
  end
end

local function is_far(tail, reader)
  return tail.seq - reader.seq > NEAR or tail.written - reader.written > NEAR_BYTES
end

---The first of its readers that is not near and for whose worker `is_meant` holds.
local function far_reader(tail, is_meant)
  local reader = tail.readers.head
  while reader do
    if is_far(tail, reader) and (not is_meant or is_meant(reader.me)) then
      return reader
    end
    reader = reader.queue_next
  end
end

local function some_live(waits_for, visit)
  return far_reader(waits_for.tail, visit) ~= nil
end

---Refuses a wait for a reader that waits for this worker, as its `event` function may do.
local function check(me, tail)
  local ring = far_reader(tail, function(reader)
    return deadlock.waits_for(reader, me, {})
  end)
  if ring then
    local named = record.named
    return errors.throw(
      "deadlock",
      "worker "
        .. named(me.task)
        .. " waits until worker "
        .. named(ring.me.task)
        .. " reads on, which waits for it"
    )
  end
end

---Waits until all readers of a worker's own tail are near its end.
---@param me table the running worker
function pace.wait(me)
  local extra = me.task.extra
  local tail = extra and extra.tail
  while tail and tail.readers and far_reader(tail) do
    check(me, tail)
    local waits_for = { what = "who reads its tail", tail = tail, some_live = some_live }
    waiting.in_list(me, tail.readers.waiters, waits_for, "its output")
  end
end

local MANY = 8 -- items that are dealt with in one turn; the scheduler looks at the clock every 64
local GIVES_WAY = { what = "its next turn" }
local dealt_with = 0

---An item that came from outside is about to be dealt with: after many of them all others get a
---turn, for a piece of a stream may hold tens of thousands.
---@param me table the running worker
function pace.item(me)
  dealt_with = dealt_with + 1
  if dealt_with >= MANY and S.can_park() then
    dealt_with = 0
    S.later(me)
    S.park_now(me, GIVES_WAY)
    if me.queue then
      list.remove(me)
    end
  end
end

return pace
