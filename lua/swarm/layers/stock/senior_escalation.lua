-- senior_escalation: what an attempt came to that nobody should leave alone is put to a senior,
-- whose answer makes a further result of it. Where none comes in time it stays, and is told of.
local ask = require "swarm.outside.ask"
local json = require "swarm.values.json"
local log = require "swarm.events.log"
local options = require "swarm.layers.options"
local raised = require "swarm.ground.raised"
local record = require "swarm.scheduler.record"
local scopes = require "swarm.scope.scope"
local shown = require "swarm.ground.shown"
local debug_getmetatable, error, format = debug.getmetatable, error, string.format
local pairs, type, xpcall = pairs, type, xpcall

-- Of the others nobody can ask any more.
local STATUSES = { pass = true, blocked = true, failed = true }

local function check_on(on)
  if on == nil then
    return { blocked = true }
  elseif type(on) ~= "table" or #on == 0 then
    return options.must("on", 'a list of statuses, such as { "blocked" }', on)
  end
  local set = {}
  for key, status in pairs(on) do
    if type(key) ~= "number" or not STATUSES[status] then
      return options.must("each of on", '"pass", "blocked" or "failed"', status)
    end
    set[status] = true
  end
  return set
end

---Asks; gives nothing where nobody answered in time.
---@return table? answer
local function ask_senior(task, status, value, reason, given)
  local why = reason and ": " .. reason or ""
  local seen = { value = value, reason = reason }
  local about = {
    question = format("worker %s ended %s%s", record.named(task), status, why),
    to = given.to,
    kind = "question",
    show = json.encode(seen, "value", true),
    details = seen,
  }
  local ok, answer = xpcall(ask.put, raised.from_raised, about, given.timeout)
  if ok then
    return answer
  elseif answer.code ~= "timeout" or not answer.key then
    return error(answer, 0)
  end
  log.entry("warn", answer.message .. ": it stays as it is", nil, task)
end

return {
  options = options.of {
    on = check_on,
    to = options.text("to", "who is asked, a text", "senior"),
    timeout = options.seconds("timeout"),
  },

  around = function(ctx, following, given)
    local task = debug_getmetatable(ctx)
    local ok, result = xpcall(following, raised.from_raised)
    local status = not ok and "failed" or result.ok and "pass" or "blocked"
    if not given.on[status] or task.worker.scope.cancel then
      return ok and result or error(result, 0)
    end
    local value, reason = ok and result.value or nil, ok and result.reason
    if not ok then
      reason = shown.field(result.message)
    end
    local asked, answer = xpcall(ask_senior, raised.from_raised, task, status, value, reason, given)
    if not asked then
      return error(ok and answer or scopes.with_others(answer, { result }), 0)
    elseif not answer then
      return ok and result or error(result, 0)
    end
    return { value = { original = value, senior_answer = answer.value }, ok = true }
  end,
}
