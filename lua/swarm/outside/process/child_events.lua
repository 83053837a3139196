-- Events that come from a child: whether an item fits the form that events have (API: Events), and
-- what a script's `event` function made of one.
local errors = require "swarm.ground.errors"
local shown = require "swarm.ground.shown"
local spelling = require "swarm.ground.spelling"
local tails = require "swarm.worker.output.tail"
local values = require "swarm.values.values"
local next, pairs, type = next, pairs, type

local child_events = {}

local null, SLOTS = values.null, tails.SLOTS

local function is_text(value)
  return type(value) == "string"
end

local function may_be_text(value)
  return value == nil or type(value) == "string"
end

local function is_flag(value)
  return type(value) == "boolean"
end

local function is_content(value)
  if type(value) ~= "table" then
    return false
  elseif value.kind == "inline" then
    for key in pairs(value) do
      if key ~= "kind" and key ~= "value" then
        return false
      end
    end
    return true
  end
  return value.kind == "file_ref" and type(value.path) == "string" and may_be_text(value.mime)
end

-- Type → its fields, and what each must be. `seq`, `at` and `dropped` are the tail's to say.
local FIELDS = {
  progress = { stage = is_text, note = may_be_text },
  partial = { chunk = is_content },
  artifact = { name = is_text, content = is_content },
  final = { content = is_content, ok = is_flag, reason = may_be_text, by = may_be_text },
}
local OF_TAIL = { type = true, seq = true, at = true, dropped = true }

local function is_usage(item)
  for key, value in pairs(item) do
    if type(key) ~= "string" or not (type(value) == "number" or type(value) == "string") then
      return false
    end
  end
  return next(item, next(item)) ~= nil -- something beside its type
end

---A copy of an event without what the tail says of it; an empty field is none.
local function event_from(item)
  local event = {}
  for key, value in pairs(item) do
    if value ~= null and (key == "type" or not OF_TAIL[key]) then
      event[key] = value
    end
  end
  local slot = SLOTS[event.type]
  local content = slot and event[slot]
  if content and content.value == null then
    event[slot] = { kind = "inline" }
  elseif content and content.kind == "file_ref" then
    event[slot] = tails.content_of(values.file(content.path, content.mime))
  end
  return event
end

---The event that an item of a child's is, or nil.
---@param item any decoded JSON
---@return table?
function child_events.of(item)
  if type(item) ~= "table" then
    return nil
  elseif item.type == "usage" then
    return is_usage(item) and event_from(item) or nil
  end
  local fields = FIELDS[item.type]
  if not fields then
    return nil
  end
  for key, value in pairs(item) do
    local fits = fields[key]
    if not OF_TAIL[key] and not (fits and (value == null or fits(value))) then
      return nil
    end
  end
  for key, fits in pairs(fields) do
    local value = item[key]
    if value == null then
      value = nil
    end
    if not fits(value) then
      return nil
    end
  end
  return event_from(item)
end

local FORMS = {
  progress = '{ type = "progress", stage = "a text", note = "a text or nil" }',
  partial = '{ type = "partial", value = x }',
  artifact = '{ type = "artifact", name = "a text", value = x }',
  usage = '{ type = "usage", tokens = 10 }, of numbers and texts',
  final = '{ type = "final", value = x, ok = true or false, reason = "a text or nil" }',
}

-- The same as a program writes them.
local CONTENT = '{"kind":"inline","value":x}'
local WRITTEN = {
  progress = '{"type":"progress","stage":"a text","note":"a text"}',
  partial = '{"type":"partial","chunk":' .. CONTENT .. "}",
  artifact = '{"type":"artifact","name":"a text","content":' .. CONTENT .. "}",
  usage = '{"type":"usage","tokens":10}',
  final = '{"type":"final","ok":true,"content":' .. CONTENT .. "}",
}

---What to write in place of what is no event.
local function advice(given)
  local name = type(given) == "table" and given.type
  if FORMS[name or false] then
    return "one of this type is " .. FORMS[name]
  elseif name ~= nil and name ~= false then
    local hint = spelling.hint(name, FORMS, "")
    local types = hint == "" and "; there are " .. spelling.list(FORMS) or hint
    return "no event has the type " .. shown.value(name) .. types
  end
  return 'return one such as { type = "final", value = x }, a list of them, or nil'
end

---What an item lacks that is no event and has the type of one; nil: it has none.
---@param item any
---@return string?
function child_events.near(item)
  local name = type(item) == "table" and item.type
  return WRITTEN[name or false] and name .. " is " .. WRITTEN[name]
end

---What an `event` function returned, as an event; `value = x` in place of the content is enough.
---@param given any
---@param who string
---@return table event
function child_events.mapped(given, who)
  local slot = type(given) == "table" and SLOTS[given.type]
  local event = type(given) == "table" and values.copy(given, "what output.event returned")
  if slot and event[slot] == nil then
    event[slot], event.value = tails.content_of(event.value), nil
    if event.type == "final" and event.ok == nil then
      event.ok = event.reason == nil
    end
  end
  event = event and child_events.of(event)
  if not event then
    return errors.throw(
      "invalid_value",
      who
        .. ": output.event returned "
        .. shown.value(given)
        .. ", which is no event: "
        .. advice(given),
      { path = "event" }
    )
  end
  return event
end

return child_events
