-- Results, as hooks see and make them: { value, ok, reason? }.
local errors = require "swarm.ground.errors"
local raised = require "swarm.ground.raised"
local results = require "swarm.worker.result"
local shown = require "swarm.ground.shown"
local values = require "swarm.values.values"
local error, pairs, type, xpcall = error, pairs, type, xpcall
local copy, format = values.copy, string.format

local result = {}

local RESULT_FIELDS = { value = true, ok = true, reason = true }

---What a hook sees of a result: its own copy.
function result.of(value, reason)
  if type(value) == "table" then
    value = copy(value, "result.value")
  end
  return { value = value, ok = reason == nil, reason = reason and reason.text }
end

---A copy of a value that a hook made; one that cannot cross is the hook's fault.
function result.copy_from(hook, value, path)
  local ok, copied = xpcall(copy, raised.from_raised, value, path)
  if not ok then
    copied.message = hook.what .. " returned what cannot be used: " .. copied.message
    copied.where = hook.where
    return error(copied, 0)
  end
  return copied
end

---What a hook returned, as a value and a reason; raises for nonsense.
function result.read(made, hook)
  if type(made) ~= "table" then
    local must = " must return a result { value, ok, reason }, and returned "
    return errors.throw(
      "invalid_value",
      hook.what .. must .. shown.value(made),
      { path = "result", where = hook.where }
    )
  end
  for key in pairs(made) do
    if not RESULT_FIELDS[key] then
      return errors.throw(
        "invalid_value",
        hook.what
          .. " returned a result with the field "
          .. shown.value(key)
          .. "; a result has value, ok and reason",
        { path = "result", where = hook.where }
      )
    end
  end
  local ok, why = made.ok, made.reason
  if ok ~= nil and type(ok) ~= "boolean" or why ~= nil and type(why) ~= "string" then
    local field, kind, got = "ok", "boolean", ok
    if ok == nil or type(ok) == "boolean" then
      field, kind, got = "reason", "string", why
    end
    local wrong = " returned a result whose %s is no %s: %s"
    return errors.throw(
      "invalid_value",
      hook.what .. format(wrong, field, kind, shown.value(got)),
      { path = "result." .. field, where = hook.where }
    )
  end
  local value, reason = result.copy_from(hook, made.value, "result.value"), nil
  if ok == false or (ok == nil and why ~= nil) then
    reason = results.reason(why or "no reason given")
  end
  return value, reason
end

return result
