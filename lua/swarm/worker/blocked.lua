-- swarm.blocked(value, reason): what a worker returns that cannot go on, as `return value, reason`
-- in one call that says so.
local result = require "swarm.worker.result"

---@param value any
---@param reason any? why
---@return any value, table reason
return function(value, reason)
  return value,
    result.blocked_error(value, result.reason(reason == nil and "no reason given" or reason))
end
