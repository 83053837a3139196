-- The output tail: the events of one attempt, in order, append-only and bounded. Past the bound the
-- oldest `progress` and `partial` go, and the next event says how many in `dropped`. A worker that
-- only returns a value never has a tail table: its one `final` is made when somebody looks.
local clock = require "swarm.ground.clock"
local errors = require "swarm.ground.errors"
local events = require "swarm.events.run"
local handles = require "swarm.worker.handle"
local S = require "swarm.scheduler.scheduler"
local Settle = require "swarm.worker.settle"
local values = require "swarm.values.values"
local type, pairs, setmetatable = type, pairs, setmetatable

local MAX_EVENTS = 10000
local MAX_BYTES = 16 * 1024 * 1024

local tails = {}

local Tail = {}
Tail.__index = Tail

local DROPPABLE = { progress = true, partial = true }

---About how many bytes a value holds.
local function weigh(value)
  local kind = type(value)
  if kind == "string" then
    return #value + 32
  elseif kind == "table" then
    local sum = 64
    for key, item in pairs(value) do
      sum = sum + weigh(key) + weigh(item)
    end
    return sum
  end
  return 16
end

---The tail of a record, made where it has none.
---@param w table
---@return table
local function tail_of(w)
  local tail = w.tail
  if not tail then
    tail = setmetatable({
      kept = {}, -- artifacts and usage that outlived the events around them
      first = 1,
      last = 0, -- events[first..last]
      events = {},
      sizes = {},
      seq = 0,
      bytes = 0,
      dropped = 0,
      followers = { head = nil, tail = nil },
    }, Tail)
    w.tail = tail
  end
  return tail
end
tails.of = tail_of

---Makes room by letting the oldest droppable event go. False where there is none.
function Tail:shed()
  while self.first <= self.last do
    local i = self.first
    local event = self.events[i]
    self.events[i] = nil
    self.first = i + 1
    if DROPPABLE[event.type] then
      self.bytes = self.bytes - self.sizes[i]
      self.sizes[i] = nil
      self.dropped = self.dropped + 1
      return true
    end
    self.kept[#self.kept + 1] = event
    self.sizes[i] = nil
  end
  return false
end

---@param event table
---@param at number? Unix seconds, now by default
function Tail:append(event, at)
  local size = weigh(event)
  while #self.kept + self.last - self.first + 1 >= MAX_EVENTS or self.bytes + size > MAX_BYTES do
    if not self:shed() then
      if event.type == "final" then
        break
      end
      return errors.throw(
        "budget_exceeded",
        "the output tail is full: "
          .. MAX_EVENTS
          .. " events or "
          .. MAX_BYTES
          .. " bytes that may not be dropped",
        { what = "output" }
      )
    end
  end
  self.seq = self.seq + 1
  event.seq = self.seq
  event.at = at or clock.wall()
  if self.dropped > 0 then
    event.dropped = self.dropped
    self.dropped = 0
  end
  self.last = self.last + 1
  self.events[self.last] = event
  self.sizes[self.last] = size
  self.bytes = self.bytes + size
  S.ready_all(self.followers)
end

---What stands in an event for a value.
---@return table { kind = "inline", value } or { kind = "file_ref", path, mime }
local function content_of(value)
  if values.is_file(value) then
    return { kind = "file_ref", path = value.path, mime = value.mime }
  end
  return { kind = "inline", value = value }
end
tails.content_of = content_of

---The value that a content stands for.
local function value_of(content)
  if content.kind == "inline" then
    return content.value
  end
  return values.file(content.path, content.mime)
end
tails.value_of = value_of

---Appends an event to the tail of a record, and tells it to who listens to the run.
local function record(w, event)
  tail_of(w):append(event)
  if events.on then
    events.publish("worker_output", w, { event = event })
  end
end
tails.record = record

-- Finals ------------------------------------------------------------------------------------------

-- A final that nobody can see yet is not written down yet: it waits in the live record's `value`,
-- and most often is still the result when the hooks are through. This stands for a nil there.
local NIL = {}

---Lets a final that passed wait.
function tails.hold(w, value)
  w.value = value == nil and NIL or value
end

---@return boolean waits
---@return any value the one of the final that waits
function tails.held(w)
  local value = w.value
  if value == NIL then
    return true, nil
  end
  return value ~= nil, value
end

---Writes down a final that waits.
function tails.flush(w)
  local waits, value = tails.held(w)
  if not waits or not w.scope then
    return
  end
  w.value = nil
  record(w, { type = "final", ok = true, content = content_of(value) })
  w.tail.final = { value = value, reason = nil }
end

---The final that a settled worker's end stands for, or nil.
local function final_of(w)
  if w.status == "pass" then
    return { type = "final", ok = true, content = content_of(w.value) }
  elseif w.status == "blocked" then
    return { type = "final", ok = false, content = content_of(w.value), reason = w.err.reason }
  end
end

---Puts the final at the end of the tail: as the worker settles where it has a tail, else when
---somebody looks. A settled record's `deadline` says when it ended.
local function complete(w)
  local tail = w.tail
  if handles.final[w.status] and not (tail and tail.complete) then
    tail = tail_of(w)
    tail.complete = true
    local final = not tail.final and final_of(w)
    if final then
      tail:append(final, clock.wall() - (clock.monotonic() - w.deadline))
      if events.on then
        events.publish("worker_output", w, { event = final })
      end
    end
  end
  return tail
end

Settle.write_final = complete

function Tail:settled(w)
  complete(w)
  S.ready_all(self.followers)
end

-- Reading -----------------------------------------------------------------------------------------

---A copy of an event for a reader. Its content is copied by itself: it may be as deep as any value.
local function copy_event(event)
  local copied = {}
  for key, field in pairs(event) do
    copied[key] = field
  end
  local slot = event.chunk and "chunk" or "content"
  local content = event[slot]
  if event.type == "usage" then
    return values.copy(event, "event")
  elseif content and content.kind == "inline" then
    copied[slot] = { kind = "inline", value = values.copy(content.value, "event") }
  elseif content then
    copied[slot] = { kind = "file_ref", path = content.path, mime = content.mime }
  end
  return copied
end

---The events of an attempt with a `seq` above `since`, as copies.
---@return table list
function tails.snapshot(w, since)
  tails.flush(w)
  local tail = complete(w)
  local list = {}
  if not tail then
    return list
  end
  for i = 1, #tail.kept do
    local event = tail.kept[i]
    if event.seq > since then
      list[#list + 1] = copy_event(event)
    end
  end
  local from = tail.first
  local oldest = tail.events[from]
  if oldest and since >= oldest.seq then
    from = from + since - oldest.seq + 1 -- from here on seq has no gaps
  end
  for i = from, tail.last do
    list[#list + 1] = copy_event(tail.events[i])
  end
  return list
end

return tails
