-- swarm.secret "NAME": stands for a variable of the host's environment, in `env` of a process and
-- as a header of a request. Its value does not enter the VM: the host reads it when it is needed
-- and masks it in what comes back.
local arguments = require "swarm.ground.arguments"
local errors = require "swarm.ground.errors"
local masked = require "swarm.values.masked"
local debug_getmetatable = debug.getmetatable
local match, setmetatable, type = string.match, setmetatable, type

local secret = {}

local Secret = { __metatable = "swarm.secret" }
local named = setmetatable({}, { __mode = "k" }) -- secret → name, out of the reach of rawset

function Secret.__tostring(value)
  return 'swarm.secret "' .. named[value] .. '"'
end

local function misused()
  return errors.throw(
    "invalid_argument",
    'a swarm.secret stands alone as a value in env, env = { KEY = swarm.secret "API_KEY" }, '
      .. "or as a header of swarm.http.request"
  )
end
Secret.__concat, Secret.__index, Secret.__newindex = misused, misused, misused

---@param name string a variable of the host's environment
function secret.new(name)
  if type(name) ~= "string" or not match(name, "^[%a_][%w_]*$") then
    return arguments.wrong("swarm.secret takes the name of a variable of the environment", name)
  end
  local value = setmetatable({}, Secret)
  named[value] = name
  masked.is_secret(name)
  return value
end

---The name of a secret; nil for any other value.
---@return string?
function secret.name(value)
  return type(value) == "table" and debug_getmetatable(value) == Secret and named[value] or nil
end

return secret
