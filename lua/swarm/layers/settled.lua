-- settled hooks: what is told of every end of a worker, also of a refusal. They run in a shield
-- with a few seconds of its own, and cannot change the end; an error of theirs fails the run.
local acting = require "swarm.rights.acting"
local blocks = require "swarm.structure.blocks"
local clock = require "swarm.ground.clock"
local errors = require "swarm.ground.errors"
local failures = require "swarm.events.failures"
local log = require "swarm.events.log"
local raised = require "swarm.ground.raised"
local record = require "swarm.scheduler.record"
local values = require "swarm.values.values"
local find = string.find

local SECONDS = 5

---Runs one hook.
local function run(hook, w, outcome)
  local task = w.task
  local ok, problem =
    acting.as(w, hook.rights, blocks.shielded, hook.what, SECONDS, hook.fn, task.handle, outcome)
  if not ok then
    problem = raised.from_raised(problem)
    local headline = errors.headline(problem)
    if not find(headline, hook.what, 1, true) then
      headline = hook.what .. " failed: " .. headline
    end
    log.entry("error", headline, nil, task)
    failures.add(problem)
  end
end

---The settled hooks of a definition as one function, called with a worker that is about to settle.
---@param hooks table
---@return function (w, status, value, err)
return function(hooks)
  return function(w, status, value, err)
    local extra = record.extra(w.task)
    extra.ending = true -- a cancel comes too late from here on
    w.scope = w
    for i = 1, #hooks do
      local outcome = { status = status, started = extra.started, ended = clock.wall() }
      outcome.err = err and raised.crossing(err)
      if value ~= nil then
        outcome.value = values.copy(value, "result")
      end
      run(hooks[i], w, outcome)
    end
  end
end
