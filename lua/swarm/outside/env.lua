-- swarm.env: the variables of the host's environment, by way of port `env`.
local arguments = require "swarm.ground.arguments"
local bridge = require "swarm.outside.bridge"
local masked = require "swarm.values.masked"
local type = type

---@param name string
---@return string? nil: there is none, or it is not for scripts
return function(name)
  if type(name) ~= "string" then
    return arguments.wrong("swarm.env takes the name of a variable", name)
  end
  local _, value = bridge.request("env", { name = name }, nil, { verb = "read_env" })
  if value then
    masked.was_read(name, value)
  end
  return value
end
