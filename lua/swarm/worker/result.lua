-- What a worker's `run` may return besides a value: why it is blocked.
local errors = require "swarm.ground.errors"
local shown = require "swarm.ground.shown"
local rawget, type = rawget, type

local result = {}

---The second value that `run` returned, as text. It may call the author's code (__tostring), so it
---is asked for while the worker still runs.
---@return table { text, hint }
function result.reason(value)
  local hint = ""
  if type(value) == "table" then
    value = rawget(value, "reason") or rawget(value, "message") or value
  elseif type(value) ~= "string" then
    hint = " (a second value that `run` returns says why it is blocked; for one value only, write"
      .. " `return (...)`)"
  end
  return { text = shown.text(value), hint = hint }
end

---The error that goes with a blocked result.
---@param reason table what result.reason made of it
function result.blocked_error(value, reason)
  local message = "blocked: " .. reason.text .. reason.hint
  return errors.new("blocked", message, { value = value, reason = reason.text })
end

---swarm.blocked(value, reason): what a worker returns that cannot go on, as `return value, reason`
---in one call that says so.
---@param value any
---@param reason any? why
---@return any value, table reason
function result.blocked(value, reason)
  local why = result.reason(reason == nil and "no reason given" or reason)
  return value, result.blocked_error(value, why)
end

return result
