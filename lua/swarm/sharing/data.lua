-- swarm.data and swarm.set_data: values shared by name across a run. What is set and what is read
-- are copies, so that two workers never change one and the same table.
local cancelling = require "swarm.scope.cancel"
local errors = require "swarm.ground.errors"
local gate = require "swarm.rights.gate"
local S = require "swarm.scheduler.scheduler"
local shared = require "swarm.journal.shared"
local shown = require "swarm.ground.shown"
local values = require "swarm.values.values"
local type, copy = type, values.copy

local data = {}

local kept = {} -- name → value

local function check_name(name, call)
  cancelling.not_while_loading()
  if type(name) ~= "string" or name == "" then
    return errors.throw("invalid_argument", call .. " takes a name, and got " .. shown.value(name))
  end
end

---swarm.data(name), verb fetch_data: a copy of what was set last, or nil. Never yields.
---@param name string
---@return any
function data.get(name)
  check_name(name, "swarm.data")
  gate.check(S.current, "fetch_data")
  shared.use(nil)
  return copy(kept[name], "data")
end

---swarm.set_data(name, value), verb fetch_data: nil takes it away. Never yields.
---@param name string
---@param value any JSON-like
function data.set(name, value)
  check_name(name, "swarm.set_data")
  gate.check(S.current, "fetch_data")
  shared.use(nil)
  kept[name] = copy(value, "data")
end

return data
