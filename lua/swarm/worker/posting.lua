-- The result that a worker's program posts from outside, while its attempt runs: it stands in place
-- of what the program writes.
local attempts = require "swarm.worker.attempts"
local errors = require "swarm.ground.errors"
local record = require "swarm.scheduler.record"

local posting = {}

---What was posted in a task's running attempt.
---@param task table
---@return table? { value, reason }
function posting.of(task)
  local posted = task.extra and task.extra.posted
  return posted and posted.attempt == attempts.number(task) and posted or nil
end

---Posts a result. One attempt has one.
---@param task table
---@param value any a copy of its own
---@param reason string? why it is blocked
function posting.post(task, value, reason)
  if task.def.kind ~= "process" then
    return errors.throw(
      "invalid_argument",
      "worker "
        .. record.named(task)
        .. " is no process worker: its result comes from its "
        .. (task.def.kind == "agent" and "agent's answer" or "own code")
    )
  elseif reason == "" then
    return errors.throw("invalid_argument", "blocked is the reason, and is empty")
  elseif posting.of(task) then
    return errors.throw(
      "invalid_argument",
      "worker " .. record.named(task) .. " has posted its result already"
    )
  end
  record.extra(task).posted = { attempt = attempts.number(task), value = value, reason = reason }
end

return posting
