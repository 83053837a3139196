-- The workers and words that several specs of this chapter share.
local swarm = require "swarm"
require "stock_workers"

swarm.worker "brief" {
  timeout = 5,
  run = function(_, seconds)
    swarm.sleep(seconds)
    return "in time"
  end,
}

-- The order in which the workers below began: every spec has a host, and so a list, of its own.
local began = {} ---@type any[]

swarm.worker "one_at_a_time" {
  concurrency = 1,
  run = function(_, job)
    began[#began + 1] = job.name
    swarm.sleep(job.seconds or 0)
    if job.child then
      swarm.spawn("sleeper", job.child)
    end
    if job.fail then
      error("it failed")
    elseif job.block then
      return nil, "it is blocked"
    end
    return job.name
  end,
}

---A worker that notes, in `log`, when and why it was cancelled; clean-up takes `seconds`.
---@param log table[]
---@param name string
---@param seconds? number
---@return swarm.Run
local function noting(log, name, seconds)
  return function()
    local ok, err = pcall(swarm.sleep, 100)
    if not ok then
      log[#log + 1] = { name = name, code = err.code, reason = err.reason, at = swarm.monotonic() }
      if seconds then
        swarm.shield(function()
          swarm.sleep(seconds)
        end)
        log[#log + 1] = { name = name .. " cleaned up", at = swarm.monotonic() }
      end
    end
  end
end

return {
  began = began,
  noting = noting,
}
