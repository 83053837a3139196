-- swarm.blocked(value, reason): what a worker returns that cannot go on, as `return value, reason`
-- in one call that says so.
local settle = require "swarm.worker.settle"

---@param value any
---@param reason any? why
---@return any value, table reason
return function(value, reason)
  return value,
    settle.blocked_error(value, settle.reason(reason == nil and "no reason given" or reason))
end
