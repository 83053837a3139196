-- swarm.trace: what has become of a task so far, attempt by attempt.
local attempts = require "swarm.worker.attempts"
local cancelling = require "swarm.scope.cancel"
local ends = require "swarm.scope.ends"
local gate = require "swarm.rights.gate"
local handles = require "swarm.worker.handle"
local S = require "swarm.scheduler.scheduler"
local tails = require "swarm.worker.output.tail"

local tracing = {}

---swarm.trace(h), verb read_trace: a list of the task's attempts, as far as they are kept: each
---with its number, `status`, `error` and the `events` that it has said.
---@return table
function tracing.trace(target)
  cancelling.not_while_loading()
  gate.check(S.current, "read_trace")
  local task = handles.task(target, "swarm.trace")
  local list = {}
  for number = 1, attempts.number(task) do
    local one = attempts.of(task, number)
    if one then
      list[#list + 1] = {
        attempt = number,
        status = one.status,
        error = one == task and ends.err(task) or one.extra and one.extra.err or nil,
        events = tails.snapshot(one, 0),
      }
    end
  end
  return list
end

return tracing
