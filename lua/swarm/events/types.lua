-- The types of the run's events, for who names some of them.
local errors = require "swarm.ground.errors"
local glob = require "swarm.ground.glob"
local shown = require "swarm.ground.shown"
local spelling = require "swarm.ground.spelling"
local pairs, type = pairs, type

local types = {}

types.all = {
  task_created = true,
  task_attempt_started = true,
  task_attempt_completed = true,
  task_suspended = true,
  task_resumed = true,
  question_asked = true,
  question_answered = true,
  question_withdrawn = true,
  senior_queried = true,
  senior_answered = true,
  task_overridden = true,
  task_marked = true,
  retry = true,
  task_pass = true,
  task_blocked = true,
  task_failed = true,
  task_cancelled = true,
  task_timeout = true,
  worker_output = true,
  refused = true,
  long_hold = true,
  abandoned = true,
  session_attached = true,
  session_detached = true,
  pool_parked = true,
  pool_unparked = true,
  reloaded = true,
}

local function fits_any(text)
  for name in pairs(types.all) do
    if glob.matches(text, name) then
      return true
    end
  end
  return false
end

---Checks a list of types, or of patterns such as "task_*", as somebody wrote them.
---@param list any[]
---@param call string the call's name, for the message
function types.check(list, call)
  for i = 1, #list do
    local text = list[i]
    if type(text) ~= "string" then
      local message = call .. ": a type of events is a text, and not " .. shown.value(text)
      return errors.throw("invalid_argument", message)
    elseif not fits_any(text) then
      local hint = spelling.hint(text, types.all, "")
      hint = hint ~= "" and hint or "; there are " .. spelling.list(types.all, 99)
      local message = call .. ": no event is of the type " .. shown.value(text) .. hint
      return errors.throw("invalid_argument", message)
    end
  end
end

return types
