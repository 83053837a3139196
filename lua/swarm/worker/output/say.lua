-- What a worker says: the events of its attempt, from `ctx:progress` to the final, on their way
-- into its output tail. What its layers' `event` functions make of one is what everybody sees.
local acting = require "swarm.rights.acting"
local errors = require "swarm.ground.errors"
local events = require "swarm.events.run"
local gate = require "swarm.rights.gate"
local handles = require "swarm.worker.handle"
local need_room = require "swarm.ground.room"
local reading = require "swarm.worker.output.read"
local record_of = require "swarm.scheduler.record"
local S = require "swarm.scheduler.scheduler"
local shown = require "swarm.ground.shown"
local tails = require "swarm.worker.output.tail"
local values = require "swarm.values.values"
local type, pairs, select, error = type, pairs, select, error
local rawequal, debug_getmetatable = rawequal, debug.getmetatable
local content_of, record, flush = tails.content_of, tails.record, tails.flush
local SLOTS = tails.SLOTS

local output = { flush = flush, methods = {} }
local methods = output.methods

---Whether what an `event` function returned can stand in a tail in place of `event`.
local function can_replace(seen, event)
  if type(seen) ~= "table" or seen.type ~= event.type then
    return false
  elseif SLOTS[event.type] then
    local content = seen[SLOTS[event.type]]
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
local function filtered(task, event)
  local hooks, me = task.def.events, S.current
  for i = 1, #hooks do
    local hook, copied = hooks[i], values.copy(event, "event")
    local ok, seen = acting.as(me, hook.rights, hook.fn, task.handle, copied)
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
            .. (type(seen) == "table" and "one that is no " .. event.type or shown.value(seen)),
          { path = "event", where = hook.where }
        )
      end
      event = values.copy(seen, "event")
      event.dropped = nil
    end
  end
  return event
end

---Appends one event to the running attempt of a worker.
local function emit(handle, event)
  local task = handles.task(handle, "ctx:" .. event.type)
  if record_of.final[task.status] then
    return errors.throw(
      "invalid_argument",
      "worker " .. record_of.named(task) .. " has settled: its tail is closed"
    )
  end
  local me = S.current
  if me.task ~= task and not (me.task.extra and me.task.extra.bears == task) then
    return errors.throw(
      "invalid_argument",
      "ctx:"
        .. event.type
        .. " writes into the tail of the worker that calls it, and this is the ctx of worker "
        .. record_of.title(task)
        .. ": use your own ctx"
    )
  elseif me.rights.emit_output ~= true then
    gate.check(me, "emit_output")
  end
  need_room()
  flush(task)
  if task.def.events then
    event = filtered(task, event)
    if not event then
      local tail = tails.of(task)
      tail.dropped = tail.dropped + 1
      return
    end
  end
  return record(task, event)
end

---Appends an event that came from outside: its content is nobody else's.
output.relay = emit

-- Finals ------------------------------------------------------------------------------------------

---The same content, to the last item. A handle is the same as itself only: its raw metatable is its
---task. A file's parts are not in its table.
local function same(a, b)
  if rawequal(a, b) then
    return true
  elseif type(a) ~= "table" or type(b) ~= "table" then
    return false
  elseif debug_getmetatable(a) ~= debug_getmetatable(b) then
    return false
  elseif values.is_file(a) then
    return values.same_file(a, b)
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

---Appends a final where something stands around the worker: what the events' layers made of it is
---the result.
---@param task table
---@param reason table? as result.reason has it
function output.final(task, value, reason)
  local extra = task.extra
  if
    task.value == nil and not (reason or (extra and extra.tail) or task.def.events or events.told)
  then
    tails.hold(task, value)
    return value
  end
  flush(task)
  local event = {
    type = "final",
    ok = reason == nil,
    content = content_of(value),
    reason = reason and reason.text,
  }
  if task.def.events then
    event = filtered(task, event)
    value = tails.value_of(event.content)
    if event.ok and reason then
      reason = nil
    elseif not event.ok then
      reason = { text = event.reason or "no reason given", hint = "" }
    end
  end
  record(task, event)
  task.extra.tail.final = { value = value, reason = reason and reason.text }
  return values.copy(value, "result"), reason
end

---A further final where the hooks made another result of what the tail has.
function output.changed(task, value, reason)
  local waits, unwritten = tails.held(task)
  if waits then
    if not reason and not task.worker.cancel and same(unwritten, value) then
      return value
    end
    flush(task)
  end
  local last = tails.last_final(task)
  if last and last.reason == (reason and reason.text) and same(last.value, value) then
    return value, reason
  end
  return output.final(task, value, reason)
end

-- What workers call -------------------------------------------------------------------------------

local function text_argument(value, what, optional)
  if type(value) == "string" or (optional and value == nil) then
    return value
  end
  local got = shown.value(value)
  return errors.throw("invalid_argument", what .. " must be a string, and is " .. got)
end

---Says what a call with a dot lacks before its arguments are looked at: each is one too early.
local function check_colon(ctx, call)
  if not handles.is(ctx) then
    return handles.task(ctx, call)
  end
end

function methods.progress(ctx, stage, note)
  check_colon(ctx, "ctx:progress")
  return emit(ctx, {
    type = "progress",
    stage = text_argument(stage, "the stage of ctx:progress"),
    note = text_argument(note, "the note of ctx:progress", true),
    seq = nil, -- room for what the tail says of it: to make that later is half of its cost
    at = nil,
  })
end

function methods.partial(ctx, value)
  check_colon(ctx, "ctx:partial")
  return emit(ctx, { type = "partial", chunk = content_of(values.copy(value, "partial")) })
end

function methods.artifact(ctx, name, ...)
  check_colon(ctx, "ctx:artifact")
  text_argument(name, "the name of an artifact")
  if select("#", ...) == 0 then
    return reading.artifact(ctx, name)
  end
  local value = values.copy((...), "artifact")
  return emit(ctx, { type = "artifact", name = name, content = content_of(value) })
end

---ctx:usage(amounts): worker/fields.lua hands it out, beside the sums that `usage` reads.
function output.usage(ctx, amounts)
  check_colon(ctx, "ctx:usage")
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

-- What `usage` reads: sums, which a worker can call.
output.Usage = { __metatable = "swarm.usage" }

function output.Usage.__call(_, ...)
  return output.usage(...)
end

return output
