-- on_resume = "ask": a task that was in flight as the run broke off runs again only once somebody
-- has said so.
local again = require "swarm.journal.again"
local asking = require "swarm.people.asking"
local operators = require "swarm.people.operators"
local kept = require "swarm.people.kept"
local record = require "swarm.scheduler.record"
local result = require "swarm.worker.result"
local S = require "swarm.scheduler.scheduler"
local format = string.format

local resuming = {}

local KEY = "resume" -- of the question, behind its task's
local AGAIN, LEAVE = "again", "leave"

---Whether nobody has said yet what becomes of a task.
local function is_undecided(task)
  local found = task.extra and task.extra.found
  if not found or found.reused or found.decided then
    return false
  elseif found.in_flight then
    return true
  end
  local asked, answer = again.asked(task, KEY)
  return asked ~= nil and not (answer and answer.withdrawn) -- the run ended before it was taken
end

---Asks what becomes of the running worker's task; true: it runs again.
local function ask(task)
  local text = "Worker %s was in flight as the run broke off. Run it again, or leave it (blocked)?"
  local answer = asking.ask(S.current, {
    under = KEY,
    question = format(text, record.named(task)),
    to = "main",
    kind = "question",
    choices = { AGAIN, LEAVE },
    check = kept.one_of { AGAIN, LEAVE },
    offer = operators.offer,
  })
  local runs = answer.value == AGAIN
  if runs then
    -- Where it is broken off once more, that is another question.
    kept.keep(task, KEY, { withdrawn = "it ran again" })
  end
  return runs
end

---What a worker runs that has on_resume = "ask".
---@param run function
---@return function
function resuming.wrap(run)
  return function(ctx, input)
    local task = S.current.task
    if is_undecided(task) and not ask(task) then
      local reason = "it was in flight as the run broke off, and somebody said to leave it"
      return result.blocked(nil, reason)
    end
    if task.extra and task.extra.found then
      task.extra.found.in_flight = false -- a further attempt is asked nothing
    end
    return run(ctx, input)
  end
end

return resuming
