-- The output tail: the events of one attempt, in order, append-only and bounded. Past the bound the
-- oldest `progress` and `partial` go, and the event after the gap says how many in `dropped`: where
-- that one goes too, the next has both counts. A worker that only returns a value never has a tail
-- table: its one `final` is made when somebody looks.
--
-- A stream of any length goes through here, an event for one that falls out: its events lie in a
-- ring, for in a table whose keys only grow Lua moves all of them again and again, and what went is
-- counted in the one that follows once it stays, or is read.
local budgets = require "swarm.worker.limits.budget"
local clock = require "swarm.ground.clock"
local errors = require "swarm.ground.errors"
local events = require "swarm.events.run"
local record_of = require "swarm.scheduler.record"
local records = require "swarm.journal.records"
local S = require "swarm.scheduler.scheduler"
local tally = require "swarm.events.tally"
local values = require "swarm.values.values"
local type, pairs, setmetatable = type, pairs, setmetatable

local MAX_EVENTS = 10000
local MAX_BYTES = 16 * 1024 * 1024

local tails = { MAX_EVENTS = MAX_EVENTS, MAX_BYTES = MAX_BYTES }

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

---The tail of an attempt, made where it has none.
---@param task table
---@return table
local function tail_of(task)
  local extra = record_of.extra(task)
  local tail = extra.tail
  if not tail then
    tail = setmetatable({
      kept = {}, -- artifacts and usage that outlived the events around them
      first = 1,
      last = 0, -- the events from first to last, each in its place of the ring
      events = {},
      sizes = {},
      seq = 0,
      bytes = 0,
      written = 0, -- bytes in all, with those of events that went
      lost = 0, -- events that went before the first, which does not say so yet
      dropped = 0, -- what the next event is to say
      progress = nil, -- the last one, for people
      followers = { head = nil, tail = nil },
      readers = nil, -- that it waits for (pace.lua)
    }, Tail)
    extra.tail = tail
  end
  return tail
end
tails.of = tail_of

---Where an event lies. There are never more than MAX_EVENTS from first to last.
local function place(i)
  return (i - 1) % MAX_EVENTS + 1
end

---Writes down what went: in the event that follows, or, where none does yet, in the next.
function Tail:count_lost()
  local lost = self.lost
  if lost > 0 then
    self.lost = 0
    local following = self.events[place(self.first)]
    if following then
      following.dropped = (following.dropped or 0) + lost
    else
      self.dropped = self.dropped + lost
    end
  end
end

---Makes room by letting the oldest droppable event go. False where there is none.
function Tail:shed()
  while self.first <= self.last do
    local i = place(self.first)
    local event = self.events[i]
    if DROPPABLE[event.type] then
      self.events[i] = nil
      self.first = self.first + 1
      self.bytes = self.bytes - self.sizes[i]
      self.lost = self.lost + 1 + (event.dropped or 0)
      return true
    end
    self:count_lost()
    self.events[i] = nil
    self.first = self.first + 1
    self.kept[#self.kept + 1] = event
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
  if self.first > self.last then
    self:count_lost()
  end
  if self.dropped > 0 then
    event.dropped = self.dropped
    self.dropped = 0
  end
  local last = self.last + 1
  local i = place(last)
  self.last, self.events[i], self.sizes[i] = last, event, size
  self.bytes = self.bytes + size
  self.written = self.written + size
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

-- Where events that have a content have it.
tails.SLOTS = { partial = "chunk", artifact = "content", final = "content" }

---The value that a content stands for.
local function value_of(content)
  if content.kind == "inline" then
    return content.value
  end
  return values.file(content.path, content.mime)
end
tails.value_of = value_of

---Appends an event to the tail of a task's attempt, and tells it to who listens to the run.
local function record(task, event)
  local tail = tail_of(task)
  tail:append(event)
  if event.type == "progress" then
    tail.progress = event
  elseif event.type == "usage" then
    tally.used(task, event)
    if task.extra.budget then
      budgets.used(task.extra.budget, event)
    end
  end
  if records.on then
    records.said(task, event)
  end
  if events.told then
    events.publish("worker_output", task, { event = event })
  end
end
tails.record = record

-- Finals ------------------------------------------------------------------------------------------

-- A final that nobody can see yet is not written down yet: it waits in the live task's `value`,
-- and most often is still the result when the hooks are through. This stands for a nil there.
local NIL = {}

---Lets a final that passed wait.
function tails.hold(task, value)
  task.value = value == nil and NIL or value
end

---@return boolean waits
---@return any value the one of the final that waits
function tails.held(task)
  local value = task.value
  if value == NIL then
    return true, nil
  end
  return value ~= nil, value
end

---The last final that the tail has, or nil.
---@return table? { value, reason }
function tails.last_final(task)
  local extra = task.extra
  return extra and extra.tail and extra.tail.final
end

---Writes down a final that waits.
function tails.flush(task)
  local waits, value = tails.held(task)
  if not waits or not task.worker then
    return
  end
  task.value = nil
  record(task, { type = "final", ok = true, content = content_of(value) })
  task.extra.tail.final = { value = value, reason = nil }
end

---The final that a settled attempt's end stands for, or nil.
local function final_of(task)
  if task.status == "pass" then
    return { type = "final", ok = true, content = content_of(task.value) }
  elseif task.status == "blocked" then
    local reason = task.extra.err.reason
    return { type = "final", ok = false, content = content_of(task.value), reason = reason }
  end
end

---Puts the final at the end of the tail: as the attempt ends where it has a tail, else when
---somebody looks.
---@param task table, or what is left of an attempt (worker/attempts.lua)
function tails.complete(task)
  local extra = task.extra
  local tail = extra and extra.tail
  if record_of.final[task.status] and not (tail and tail.complete) then
    tail = tail_of(task)
    tail.complete = true
    local final = not tail.final and final_of(task)
    if final then
      tail:append(final, clock.wall() - (clock.monotonic() - task.since))
      if events.told then
        events.publish("worker_output", task, { event = final })
      end
    end
  end
  return tail
end

---An attempt that has a tail has ended.
function tails.settled(task)
  S.ready_all(tails.complete(task).followers)
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
---@param most number? bytes about, after which no further one is copied
---@return table list, boolean? more there are others
function tails.snapshot(task, since, most)
  tails.flush(task)
  local tail = tails.complete(task)
  local list = {}
  if not tail then
    return list
  end
  tail:count_lost()
  for i = 1, #tail.kept do
    local event = tail.kept[i]
    if event.seq > since then
      if most and most < 0 then
        return list, true
      end
      list[#list + 1] = copy_event(event)
      most = most and most - weigh(event)
    end
  end
  local from = tail.first
  local oldest = tail.events[place(from)]
  if oldest and since >= oldest.seq then
    from = from + since - oldest.seq + 1 -- from here on seq has no gaps
  end
  for i = from, tail.last do
    if most and most < 0 then
      return list, true
    end
    list[#list + 1] = copy_event(tail.events[place(i)])
    most = most and most - tail.sizes[place(i)]
  end
  return list
end

return tails
