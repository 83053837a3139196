-- swarm.env: the variables of the host's environment, by way of port `env`.
local arguments = require "swarm.ground.arguments"
local bridge = require "swarm.outside.bridge"
local masked = require "swarm.values.masked"
local raised = require "swarm.ground.raised"
local S = require "swarm.scheduler.scheduler"
local type = type

---@param name string
---@return string? nil: there is none, or it is not for scripts
return function(name)
  if type(name) ~= "string" then
    return arguments.wrong("swarm.env takes the name of a variable", name)
  end
  local _, value = bridge.request("env", { name = name }, nil, { verb = "read_env" })
  if value == nil then
    local id = S.current.task.id
    raised.note_absent(function()
      return S.current and S.current.task.id == id and name or nil -- others use its coroutine later
    end)
  else
    masked.was_read(name, value)
  end
  return value
end
