-- What may be given as standard input: a string, a swarm.file, a handle (its result), or false.
local errors = require "swarm.ground.errors"
local feed = require "swarm.outside.process.feed"
local handles = require "swarm.worker.handle"
local shown = require "swarm.ground.shown"
local values = require "swarm.values.values"
local type = type

local input = {}

---What a value that is given as input comes to: its bytes, or a source that is read as they go.
---@param value any string, swarm.file, handle, or nil and false for none
---@param place string for the message
---@return table? texts nil: the child gets an empty input, or the source's
---@return table? source (feed.lua)
function input.of(value, place)
  if value == nil or value == false then
    return nil
  elseif type(value) == "string" then
    return { value }
  elseif values.is_file(value) then
    return nil, feed.of_file(value)
  elseif handles.is(value) then
    return nil, feed.of_tail(value, place)
  end
  return errors.throw(
    "invalid_argument",
    place
      .. " must be a string, a swarm.file, a worker's handle or false, and is "
      .. shown.value(value)
  )
end

return input
