-- swarm.port: a request to a port that the embedding application or another package brought. The
-- host's own ports have calls of their own, whose verbs and bounds this must not go around.
local bridge = require "swarm.outside.bridge"
local cancelling = require "swarm.scope.cancel"
local errors = require "swarm.ground.errors"
local gate = require "swarm.rights.gate"
local json = require "swarm.values.json"
local S = require "swarm.scheduler.scheduler"
local shown = require "swarm.ground.shown"
local values = require "swarm.values.values"

-- The host's own (host/swarm_host/ports/registry.py), and the calls that they are behind.
local OWN = {
  connect = "a worker's field ready = { port = ... }",
  env = "swarm.env",
  files = "swarm.fs",
  http = "swarm.http",
  process = "swarm.exec",
  python = "a worker's field python",
  reuse = "a worker's field cache",
  schema = "input_schema and output_schema",
  token = "ctx:token and swarm.token",
  worktree = "a worker's field worktree",
}

local port = { own = OWN }

local function wrong(message, got)
  return errors.throw("invalid_argument", "swarm.port " .. message .. shown.value(got))
end

---Asks a port and waits for its answer.
---@param name string
---@param payload table? what the port is given: an object
---@param data string? bytes that go beside it as they are
---@return any value, string? data what it answered
function port.call(name, payload, data)
  cancelling.not_while_loading()
  if type(name) ~= "string" then
    return wrong("takes the name of a port, and got ", name)
  elseif OWN[name] then
    return wrong("is for ports that others bring; use " .. OWN[name] .. " in place of ", name)
  elseif payload ~= nil and type(payload) ~= "table" then
    return wrong("takes a table after the name, and got ", payload)
  elseif data ~= nil and type(data) ~= "string" then
    return wrong("takes bytes after the payload, and got ", data)
  end
  json.encode(name, "swarm.port's name") -- raises where it is not UTF-8: Python takes it as a text
  gate.check(S.current, "call_python", name)
  local copied = values.copy(payload or {}, "payload")
  if values.is_array(copied) or #copied > 0 then
    return wrong("takes an object, { name = value }, and got ", payload)
  end
  json.encode(copied, "payload") -- raises for what cannot leave the program
  return bridge.request(name, values.object(copied), data)
end

return port
