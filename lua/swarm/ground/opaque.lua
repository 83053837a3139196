-- Opaque objects: channels, semaphores, events and locks. Like a worker's handle, such an object is
-- an empty table whose protected metatable is its record: a script reaches none of its fields, the
-- host finds them in one step, and both die together.
local errors = require "swarm.ground.errors"
local shown = require "swarm.ground.shown"
local site = require "swarm.ground.site"
local spelling = require "swarm.ground.spelling"
local debug_getmetatable = debug.getmetatable
local rawget, setmetatable, tostring, type = rawget, setmetatable, tostring, type
local find, sub = string.find, string.sub

local opaque = {}

---@param name string what an author calls it, such as "channel"
---@return string
local function with_article(name)
  return (name == "event" and "an " or "a ") .. name
end

---What a record is and where it was made, as messages and reports of deadlocks name it.
---@param record table
---@return string
function opaque.describe(record)
  local text = record.text
  if not text then
    local place = site.place(record.site)
    text = record.kind.name .. (place and " made at " .. place or "")
    record.text = text
  end
  return text
end

---What a worker waits for, with the generation that made it.
---@param record table
---@param text string as the report of a deadlock says it
---@return string
function opaque.with_generation(record, text)
  local described = opaque.describe(record)
  local first, last = find(text, described, 1, true)
  if not first then
    return text
  end
  return sub(text, 1, last) .. " (generation " .. record.generation .. ")" .. sub(text, last + 1)
end

---What a worker waits for, as the report of a deadlock says it: "room in the channel made at …".
---@param record table
---@param words string such as "room in"
---@return string
function opaque.wanted(record, words)
  local text = record[words]
  if not text then
    text = words .. " the " .. opaque.describe(record)
    record[words] = text
  end
  return text
end

local function object_tostring(object)
  return opaque.describe(debug_getmetatable(object))
end

---A kind of object. Its methods go into `kind.methods`.
---@param name string
---@param guesses table what people try first → the method that does it
---@return table kind
function opaque.kind(name, guesses)
  local methods = {}
  local kind = { name = name, methods = methods }
  local one = with_article(name)

  local function known()
    return "; its methods are " .. spelling.list(methods)
  end

  setmetatable(methods, {
    __index = function(_, key)
      local guess = type(key) == "string" and (guesses[key] or spelling.nearest(key, methods))
      return errors.throw(
        "unknown_name",
        one
          .. " has no "
          .. shown.value(key)
          .. (guess and "; did you mean " .. name .. ":" .. guess .. "?" or known()),
        { unknown = tostring(key) }
      )
    end,
  })

  function kind.newindex(_, key)
    return errors.throw(
      "unknown_name",
      one .. " cannot be written to (" .. shown.value(key) .. ")" .. known()
    )
  end

  function kind.call()
    return errors.throw("invalid_argument", one .. " cannot be called" .. known())
  end

  return kind
end

---Makes the object of a record.
---@param kind table
---@param record table
---@param taken any where it is made, as site.take has it
---@return table object
function opaque.seal(kind, record, taken)
  record.kind = kind
  record.site = taken
  record.text = nil
  record.__index = kind.methods
  record.__newindex = kind.newindex
  record.__call = kind.call
  record.__tostring = object_tostring
  record.__metatable = "swarm." .. kind.name
  return setmetatable({}, record)
end

---The record behind the object that a method was called on.
---@param kind table
---@param object any
---@param call string how the author should have written it, such as "channel:recv()"
---@return table record
function opaque.record(kind, object, call)
  local record = debug_getmetatable(object)
  if record and rawget(record, "kind") == kind then -- raw: it may be the author's metatable
    return record
  end
  return errors.throw(
    "invalid_argument",
    "this method takes " .. with_article(kind.name) .. " first: write " .. call .. ", with a colon"
  )
end

---The record behind an opaque object, of whatever kind; nil for any other value.
---@param value any
---@return table?
function opaque.of(value)
  local record = type(value) == "table" and debug_getmetatable(value)
  return record and rawget(record, "__tostring") == object_tostring and record or nil
end

---What kind of opaque object a value is, such as "channel", or nil.
---@param value any
---@return string?
function opaque.name_of(value)
  local record = opaque.of(value)
  return record and record.kind.name
end

return opaque
