-- What may be given as standard input: a string, a swarm.file, a handle (its result), or false.
local errors = require "swarm.ground.errors"
local fs = require "swarm.outside.fs"
local handles = require "swarm.worker.handle"
local join = require "swarm.worker.join"
local json = require "swarm.values.json"
local shown = require "swarm.ground.shown"
local values = require "swarm.values.values"
local type = type

local input = {}

---The bytes of a value that is given as input.
---@param value any string, swarm.file, handle, or nil and false for none
---@param place string for the message
---@return table? texts nil: the child gets an empty input
function input.texts(value, place)
  if value == nil or value == false then
    return nil
  elseif type(value) == "string" then
    return { value }
  elseif values.is_file(value) then
    return { (fs.read((values.file_parts(value)))) }
  elseif handles.is(value) then
    local result = join.result(value)
    if values.is_file(result) then
      return { (fs.read((values.file_parts(result)))) }
    end
    return { type(result) == "string" and result or (json.encode(result, place)) }
  end
  return errors.throw(
    "invalid_argument",
    place
      .. " must be a string, a swarm.file, a worker's handle or false, and is "
      .. shown.value(value)
  )
end

return input
