-- The output tail: the events of one attempt, in order, append-only and bounded. Past the bound the
-- oldest `progress` and `partial` go, and the next event says how many in `dropped`. A worker that
-- only returns a value never has a tail table: its one `final` is made when somebody looks.
local waits = require "swarm.waits"
local arguments = require "swarm.arguments"
local attempts = require "swarm.attempts"
local clock = require "swarm.clock"
local errors = require "swarm.errors"
local events = require "swarm.events"
local gate = require "swarm.gate"
local handles = require "swarm.handle"
local names = require "swarm.names"
local S = require "swarm.scheduler"
local Scope = require "swarm.scope"
local values = require "swarm.values"
local type, pairs, setmetatable, floor = type, pairs, setmetatable, math.floor
local xpcall, error, rawequal = xpcall, error, rawequal
local debug_getmetatable = debug.getmetatable

local MAX_EVENTS = 10000
local MAX_BYTES = 16 * 1024 * 1024

local output = {}

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

local function content_of(value)
  if values.is_file(value) then
    return { kind = "file_ref", path = value.path, mime = value.mime }
  end
  return { kind = "inline", value = value }
end

---Reading another worker's state has a verb of its own.
local function check_reading(w)
  local me = S.current
  if me and me ~= w and me.rights.read_task_state ~= true then
    gate.check(me, "read_task_state")
  end
end

local CONTENT = { partial = "chunk", artifact = "content", final = "content" }

---Whether what an `event` function returned can stand in a tail in place of `event`.
local function can_replace(seen, event)
  if type(seen) ~= "table" or seen.type ~= event.type then
    return false
  elseif CONTENT[event.type] then
    local content = seen[CONTENT[event.type]]
    local kind = type(content) == "table" and content.kind
    if kind ~= "inline" and not (kind == "file_ref" and type(content.path) == "string") then
      return false
    end
  end
  for _, field in pairs { "stage", "name", "ok" } do
    if type(seen[field]) ~= type(event[field]) then
      return false
    end
  end
  return (seen.note == nil or type(seen.note) == "string")
    and (seen.reason == nil or type(seen.reason) == "string")
end

---What the `event` functions of a worker's layers make of an event before anybody has seen it: the
---event to record, or nil where one dropped it.
local function filtered(w, event)
  local hooks, me = w.def.events, S.current
  for i = 1, #hooks do
    local hook, own = hooks[i], me.rights
    me.rights = hook.rights
    local ok, seen = xpcall(hook.fn, errors.passing, w.handle, values.copy(event, "event"))
    me.rights = own
    if not ok then
      return error(seen, 0)
    elseif seen == false then
      if event.type ~= "final" then
        return nil
      end
      return errors.throw(
        "invalid_value",
        hook.what .. " returned false for the final, which is never dropped; return a changed one",
        { path = "event", where = hook.where }
      )
    elseif seen ~= nil then
      if not can_replace(seen, event) then
        return errors.throw(
          "invalid_value",
          hook.what
            .. " must return the event, changed or not, or false; it returned "
            .. (type(seen) == "table" and "one that is no " .. event.type or names.show(seen)),
          { path = "event", where = hook.where }
        )
      end
      event = values.copy(seen, "event")
      event.dropped = nil
    end
  end
  return event
end

local function record(w, event)
  tail_of(w):append(event)
  if events.on then
    events.publish("worker_output", w, { event = event })
  end
end

---Appends one event to the running attempt of a worker.
local function emit(handle, event)
  local w = handles.record(handle, "ctx:" .. event.type)
  if handles.final[w.status] then
    return errors.throw(
      "invalid_argument",
      "worker " .. handles.label(w) .. " has settled: its tail is closed"
    )
  end
  local me = S.current
  if me.rights.emit_output ~= true then
    gate.check(me, "emit_output")
  end
  output.flush(w)
  if w.def.events then
    event = filtered(w, event)
    if not event then
      local tail = tail_of(w)
      tail.dropped = tail.dropped + 1
      return
    end
  end
  return record(w, event)
end
output.emit = emit

---The same content, to the last item. A handle is the same as itself only: its raw metatable is its
---record. A file's parts are not in its table.
local function same(a, b)
  if rawequal(a, b) then
    return true
  elseif type(a) ~= "table" or type(b) ~= "table" then
    return false
  elseif debug_getmetatable(a) ~= debug_getmetatable(b) then
    return false
  elseif values.is_file(a) then
    local path, mime = values.file_parts(a)
    local other_path, other_mime = values.file_parts(b)
    return path == other_path and mime == other_mime
  end
  for key, value in pairs(a) do
    if not same(value, b[key]) then
      return false
    end
  end
  for key in pairs(b) do
    if a[key] == nil then
      return false
    end
  end
  return true
end

-- A final that nobody can see yet is not written down yet: it waits in the live record's `value`,
-- and most often is still the result when the hooks are through. This stands for a nil there.
local NIL = {}

---Writes down a final that waits.
function output.flush(w)
  local value = w.value
  if value == nil or not w.scope then
    return
  end
  w.value = nil
  if value == NIL then
    value = nil
  end
  record(w, { type = "final", ok = true, content = content_of(value) })
  w.tail.final = { value = value, reason = nil }
end

---Appends a final where something stands around the worker: what the events' layers made of it is
---the result.
---@param reason table? as Settle.reason has it
function output.final(w, value, reason)
  if w.value == nil and not (reason or w.tail or w.def.events or events.on) then
    w.value = value == nil and NIL or value
    return value
  end
  output.flush(w)
  local event = {
    type = "final",
    ok = reason == nil,
    content = content_of(value),
    reason = reason and reason.text,
  }
  if w.def.events then
    event = filtered(w, event)
    local content = event.content
    if content.kind == "inline" then
      value = content.value
    else
      value = values.file(content.path, content.mime)
    end
    if event.ok and reason then
      reason = nil
    elseif not event.ok then
      reason = { text = event.reason or "no reason given", hint = "" }
    end
  end
  record(w, event)
  w.tail.final = { value = value, reason = reason and reason.text }
  return values.copy(value, "result"), reason
end

---A further final where the hooks made another result of what the tail has.
function output.changed(w, value, reason)
  local unwritten = w.value
  if unwritten ~= nil then
    if unwritten == NIL then
      unwritten = nil
    end
    if not reason and not w.cancel and same(unwritten, value) then
      return value
    end
    output.flush(w)
  end
  local last = w.tail and w.tail.final
  if last and last.reason == (reason and reason.text) and same(last.value, value) then
    return value, reason
  end
  return output.final(w, value, reason)
end

local function text_argument(value, what, optional)
  if type(value) == "string" or (optional and value == nil) then
    return value
  end
  return errors.throw("invalid_argument", what .. " must be a string, and is " .. names.show(value))
end

function handles.methods.progress(ctx, stage, note)
  return emit(ctx, {
    type = "progress",
    stage = text_argument(stage, "the stage of ctx:progress"),
    note = text_argument(note, "the note of ctx:progress", true),
  })
end

function handles.methods.partial(ctx, value)
  return emit(ctx, { type = "partial", chunk = content_of(values.copy(value, "partial")) })
end

function handles.methods.artifact(ctx, name, ...)
  text_argument(name, "the name of an artifact")
  if select("#", ...) == 0 then
    return output.artifact(ctx, name)
  end
  local value = values.copy((...), "artifact")
  return emit(ctx, { type = "artifact", name = name, content = content_of(value) })
end

function handles.methods.usage(ctx, amounts)
  local event = type(amounts) == "table" and values.copy(amounts, "usage")
  if
    not event
    or #event > 0
    or values.is_array(event)
    or values.is_file(event)
    or handles.is(event)
  then
    return errors.throw("invalid_argument", "ctx:usage takes a table such as { tokens = 10 }")
  end
  event.type, event.dropped = "usage", nil
  return emit(ctx, event)
end

-- Reading -----------------------------------------------------------------------------------------

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
    end
  end
  return tail
end

function Tail:settled(w)
  complete(w)
  S.ready_all(self.followers)
end

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

local function snapshot(w, since)
  output.flush(w)
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
output.snapshot = snapshot

local READ_OPTIONS = { attempt = true, since = true }

---@return number since, number|"all" attempt
local function read_options(w, opts, call)
  local last = attempts.number(w)
  if opts == nil then
    return 0, last
  end
  arguments.options(opts, READ_OPTIONS, call)
  local attempt = opts.attempt == nil and last or opts.attempt
  if not attempts.of(w, attempt) and not (call == "follow" and attempt == "all") then
    return errors.throw("invalid_argument", call .. ": there is no attempt " .. names.show(attempt))
  end
  local since = opts.since or 0
  if type(since) ~= "number" or since ~= since then
    return errors.throw(
      "invalid_argument",
      call .. " takes since = a seq, and got " .. names.show(since)
    )
  end
  return floor(since), attempt
end

---swarm.output_tail(h, opts?) → list of events
function output.output_tail(target, opts)
  Scope.not_while_loading()
  local w = handles.record(target, "output_tail")
  check_reading(w)
  local since, attempt = read_options(w, opts, "output_tail")
  return snapshot(attempts.of(w, attempt), since)
end

---Parks until a tail has more, or its attempt is over.
local function await_more(w, tail)
  local me = S.current
  S.push_back(tail.followers, me)
  local parked = S.park(me, { what = "events of worker " .. handles.label(w) })
  if me.queue then
    S.remove(me)
  end
  if me.scope.cancel then
    Scope.raise(me)
  elseif not parked then
    waits.barred("follow")
  end
end

---swarm.follow(h, opts?) → iterator of events, until the attempt has ended; with attempt = "all"
---until the task has settled
function output.follow(target, opts)
  Scope.not_while_loading()
  local w = handles.record(target, "follow")
  check_reading(w)
  local since, attempt = read_options(w, opts, "follow")
  local all = attempt == "all"
  if all then
    attempt = 1
  end
  local ready, i = {}, 0
  return function()
    local me = S.current
    if me.scope.cancel then
      Scope.raise(me)
    end
    while true do
      i = i + 1
      local event = ready[i]
      if event then
        since = event.seq
        if all then
          event.attempt = attempt
        end
        return event
      end
      local seen = attempts.of(w, attempt)
      local over = not seen or handles.final[seen.status]
      ready, i = seen and snapshot(seen, since) or {}, 0
      if #ready == 0 then
        if not over then
          await_more(w, tail_of(seen))
        elseif all and attempt < attempts.number(w) then
          attempt, since = attempt + 1, 0
        else
          return nil
        end
      end
    end
  end
end

---The last artifact of a name, or nil.
function output.artifact(target, name)
  local w = handles.record(target, "artifact")
  check_reading(w)
  local list = snapshot(w, 0)
  for i = #list, 1, -1 do
    local event = list[i]
    if event.type == "artifact" and event.name == name then
      return event.content.kind == "inline" and event.content.value
        or values.file(event.content.path, event.content.mime)
    end
  end
  return nil
end

return output
