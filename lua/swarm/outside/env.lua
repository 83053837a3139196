-- swarm.env: the variables of the host's environment, by way of port `env`.
local bridge = require "swarm.outside.bridge"
local errors = require "swarm.ground.errors"
local shown = require "swarm.ground.shown"
local type = type

---@param name string
---@return string? nil: there is none, or it is not for scripts
return function(name)
  if type(name) ~= "string" then
    return errors.throw(
      "invalid_argument",
      "swarm.env takes the name of a variable, and got " .. shown.value(name)
    )
  end
  local _, value = bridge.request("env", { name = name }, nil, { verb = "read_env" })
  return value
end
