-- Where files that cannot know each other come together: the one place that may fill what another
-- file left open.
local cancel_token = require "swarm.worker.cancel_token"
local errors = require "swarm.ground.errors"
local fields = require "swarm.worker.fields"
local handles = require "swarm.worker.handle"
local json = require "swarm.values.json"
local opaque = require "swarm.ground.opaque"
local values = require "swarm.values.values"
require "swarm.structure.retry" -- fills in what attempts and settle leave to it
local debug_getmetatable, pairs, tostring = debug.getmetatable, pairs, tostring

-- Handles -----------------------------------------------------------------------------------------

---Gives handles the names of a file that has some; no two files may mean one name.
local function give(into, names)
  for name, fn in pairs(names) do
    if into[name] then
      error("handles have two meanings of " .. name)
    end
    into[name] = fn
  end
end

give(handles.methods, fields.methods)
give(handles.getters, fields.getters)

-- What crosses ------------------------------------------------------------------------------------

values.keep(errors.metatable) -- a worker may return what went wrong as a part of its result

values.register_opaque(function(value)
  return handles.is(value) and "worker handle"
    or cancel_token.is(value) and "cancel token"
    or opaque.name_of(value)
end)

---What stands for a live object where bytes may be lost: logs, events.
function json.stand_in(value)
  if handles.is(value) then
    return "T-" .. debug_getmetatable(value).id
  end
  return (cancel_token.is(value) or opaque.name_of(value)) and tostring(value) or nil
end
