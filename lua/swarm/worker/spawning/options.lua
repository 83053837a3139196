-- What `spawn` takes beside a name and an input.
local arguments = require "swarm.ground.arguments"
local attempts = require "swarm.worker.attempts"
local errors = require "swarm.ground.errors"
local operator_kind = require "swarm.worker.spawning.operator_kind"
local record = require "swarm.scheduler.record"
local records = require "swarm.journal.records"
local scopes = require "swarm.scope.scope"
local shown = require "swarm.ground.shown"
local values = require "swarm.values.values"
local copy, root, type = values.copy, scopes.root, type

local options = {}

local ELSEWHERE = {
  concurrency = "it belongs to the worker's definition, or to swarm.map",
  role = "it belongs to the worker's definition",
  layers = "they belong to the worker's definition",
  input = "the input comes before the options: spawn(name, input, opts)",
}

local SPAWN_OPTIONS = {
  timeout = true,
  detached = true,
  meta = true,
  retries = true,
  label = true,
  key = true,
  operator_kind = true,
}

local root_keys = {} -- of those at the top of the run

---Gives a task its key: no two children of one task have the same.
function options.take_key(above, key)
  if type(key) ~= "string" or key == "" then
    local got = shown.value(key)
    return errors.throw("invalid_argument", "spawn's option key is a text, not " .. got)
  elseif #key > records.MOST_KEY then
    local message = "spawn's option key has at most %d bytes, and this one has %d"
    return errors.throw("invalid_argument", message:format(records.MOST_KEY, #key))
  end
  local keys = root_keys
  if above then
    local extra = record.extra(above.task)
    extra.keys = extra.keys or {}
    keys = extra.keys
  end
  if keys[key] then
    local message = "there is a task with the key " .. shown.value(key) .. " here already (T-%d)"
    return errors.throw("invalid_argument", message:format(keys[key]))
  end
  return keys
end

---@return table owner, table? extra, any retries
function options.read(owner, opts, extra)
  arguments.options(opts, SPAWN_OPTIONS, "spawn", ELSEWHERE)
  local detached = opts.detached
  if detached ~= nil and type(detached) ~= "boolean" then
    local got = shown.value(detached)
    return errors.throw("invalid_argument", "spawn's option detached is true or false, not " .. got)
  end
  local timeout, meta, retries = opts.timeout, opts.meta, opts.retries
  if timeout or meta ~= nil then
    extra = extra or {}
    extra.timeout = timeout and arguments.seconds(timeout, "spawn's option timeout") or nil
    extra.meta = copy(meta, "meta")
  end
  local label = opts.label
  if label ~= nil then
    if label and type(label) ~= "string" then
      local message = "spawn's option label is a text or false, not " .. shown.value(label)
      return errors.throw("invalid_argument", message)
    end
    extra = extra or {}
    extra.label = label
  end
  local kind = opts.operator_kind
  if kind ~= nil then
    if not operator_kind.is(kind) then
      local must = "spawn's option operator_kind must be %s, and is %s"
      local message = must:format(operator_kind.MUST, shown.value(kind))
      return errors.throw("invalid_argument", message)
    end
    extra = extra or {}
    extra.operator_kind = kind
  end
  if retries ~= nil then
    retries = attempts.policy(retries, "spawn's option retries") or false
  end
  return detached and root or owner, extra, retries
end

return options
