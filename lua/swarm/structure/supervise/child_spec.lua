-- What an author says about a supervisor and its children, checked whole before anything starts.
local arguments = require "swarm.ground.arguments"
local errors = require "swarm.ground.errors"
local gate = require "swarm.rights.gate"
local handles = require "swarm.worker.handle"
local intensity = require "swarm.structure.supervise.intensity"
local record = require "swarm.scheduler.record"
local S = require "swarm.scheduler.scheduler"
local shown = require "swarm.ground.shown"
local spelling = require "swarm.ground.spelling"
local values = require "swarm.values.values"
local spawning = require "swarm.worker.spawn"
local error, pairs, pcall, tostring, type = error, pairs, pcall, tostring, type
local huge = math.huge

local child_spec = {}

local STRATEGIES = { one_for_one = true, one_for_all = true, rest_for_one = true }
local RESTARTS = { permanent = true, transient = true, temporary = true }
local OPTIONS = {
  strategy = true,
  intensity = true,
  period = true,
  backoff = true,
  name = true,
  children = true,
}
local BACKOFF = { first = true, factor = true, max = true }
local FACTOR, MOST_SECONDS = 2, 30 -- of a backoff that says no more than its first
local FIELDS = { id = true, restart = true, shutdown = true, timeout = true }

-- What people try first, by other libraries' words.
local FIRST_GUESSES = {
  name = 'the worker goes first: { "name", input }',
  worker = 'the worker goes first: { "name", input }',
  run = "the function goes first: { function(ctx, input) ... end, input }",
  start = 'the worker goes first: { "name", input }',
  input = 'the input goes second: { "name", input }',
  args = 'the input goes second: { "name", input }',
  max_restarts = "intensity belongs to the supervisor",
  intensity = "intensity belongs to the supervisor",
  period = "period belongs to the supervisor",
  strategy = "strategy belongs to the supervisor",
  backoff = "backoff belongs to the supervisor",
  ready = "ready belongs to the worker's definition",
  start_timeout = "start_timeout belongs to the worker's definition",
}

local function wrong(message, fields)
  return errors.throw("invalid_argument", message, fields)
end

local function check_word(value, words, what)
  if type(value) ~= "string" or not words[value] then
    local near = type(value) == "string" and spelling.nearest(value, words)
    return wrong(
      what
        .. " is "
        .. shown.value(value)
        .. (near and "; did you mean " .. near .. "?" or "; it can be " .. spelling.list(words))
    )
  end
  return value
end

local function check_text(value, what)
  if type(value) ~= "string" or value == "" then
    return wrong(what .. " is a string that is not empty, and got " .. shown.value(value))
  end
  return value
end

---What a child runs: a worker's name that exists and may be started, or a function.
local function check_target(target, place)
  local me = S.current
  if type(target) == "string" then
    gate.check(me, "start_task", target)
    local ok, err = pcall(spawning.resolve, target, me.task.def.generation)
    if not ok then
      err.message = place .. ": " .. err.message
      return error(err, 0)
    end
    return target
  elseif type(target) == "function" then
    gate.check(me, "start_task", "") -- a function fits "*" alone
    return record.place_of(target)
  end
  return wrong(
    place
      .. ' starts with a worker\'s name or a function, as in { "name", input }, and got '
      .. shown.value(target)
  )
end

---@return string? what hint for a field that is none
local function field_hint(key)
  local guess = type(key) == "string" and FIRST_GUESSES[key]
  local near = not guess and type(key) == "string" and spelling.nearest(key, FIELDS)
  return guess and "; " .. guess
    or near and "; did you mean " .. near .. "?"
    or '; it is { "name", input } with ' .. spelling.list(FIELDS)
end

---Checks one child.
---@param item any what the author wrote
---@param place string such as "children[2]"
---@return table child
function child_spec.read(item, place)
  if type(item) ~= "table" or handles.is(item) then
    return wrong(place .. ' is a table such as { "name", input }, and got ' .. shown.value(item))
  end
  for key in pairs(item) do
    if key ~= 1 and key ~= 2 and not FIELDS[key] then
      return wrong(
        place .. " has no field " .. shown.value(key) .. field_hint(key),
        { unknown = tostring(key) }
      )
    end
  end
  local default_id = check_target(item[1], place)
  local shutdown = item.shutdown == nil and 5 or item.shutdown
  if type(shutdown) ~= "number" or shutdown < 0 or shutdown ~= shutdown then
    return wrong(
      place
        .. ".shutdown takes seconds, zero or more (math.huge: as long as it takes), and got "
        .. shown.value(shutdown)
    )
  end
  return {
    id = item.id == nil and default_id or check_text(item.id, place .. ".id"),
    run = item[1],
    input = values.copy(item[2], place .. "[2]"),
    restart = item.restart == nil and "permanent"
      or check_word(item.restart, RESTARTS, place .. ".restart"),
    shutdown = shutdown < huge and shutdown or nil,
    options = item.timeout ~= nil and {
      timeout = arguments.seconds(item.timeout, place .. ".timeout"),
    } or nil,
  }
end

---Raises for a second child of one id.
function child_spec.check_id(child, known, place)
  if known[child.id] then
    return wrong(
      place
        .. ": there is a child "
        .. shown.value(child.id)
        .. ' already; give it an id of its own: { "name", input, id = "..." }'
    )
  end
end

local function check_list(list)
  if type(list) ~= "table" or handles.is(list) then
    return wrong("swarm.supervise's children are a list, and got " .. shown.value(list))
  end
  for key in pairs(list) do
    if type(key) ~= "number" or key % 1 ~= 0 or key < 1 or key > #list then
      return wrong(
        "swarm.supervise's children are a list without gaps, and have a key " .. shown.value(key)
      )
    end
  end
end

---What puts a restart off: seconds, always the same, or a first, a factor and a most.
---@return table { first, factor, max }
local function backoff_of(given)
  local what = "swarm.supervise's backoff"
  if type(given) == "number" then
    arguments.seconds(given, what)
    return { first = given, factor = 1, max = given }
  elseif type(given) ~= "table" then
    local expected = what .. " takes seconds, or { first = 0.1, factor = 2, max = 30 }"
    return arguments.wrong(expected, given)
  end
  arguments.options(given, BACKOFF, what)
  local factor = given.factor == nil and FACTOR or given.factor
  if type(factor) ~= "number" or not (factor >= 1 and factor < huge) then
    return arguments.wrong(what .. ".factor takes a number, 1 or more", factor)
  end
  return {
    first = arguments.seconds(given.first, what .. ".first"),
    factor = factor,
    max = given.max == nil and MOST_SECONDS or arguments.seconds(given.max, what .. ".max"),
  }
end

---Checks what swarm.supervise was given.
---@return table plan { strategy, intensity, period, backoff, name, children }
function child_spec.plan(opts)
  arguments.options(opts, OPTIONS, "swarm.supervise")
  local plan = {
    strategy = opts.strategy == nil and "one_for_one"
      or check_word(opts.strategy, STRATEGIES, "swarm.supervise's strategy"),
    intensity = opts.intensity == nil and 1
      or arguments.whole(opts.intensity, "swarm.supervise's intensity", 0, intensity.MOST),
    period = opts.period == nil and 5
      or arguments.seconds(opts.period, "swarm.supervise's option period"),
    backoff = opts.backoff ~= nil and backoff_of(opts.backoff) or nil,
    name = opts.name ~= nil and check_text(opts.name, "swarm.supervise's name") or nil,
    children = {},
  }
  if plan.period == 0 then
    return wrong "swarm.supervise's period is above zero seconds, and got 0"
  end
  local list, known = opts.children, {}
  if list ~= nil then
    check_list(list)
    for i = 1, #list do
      local place = "children[" .. i .. "]"
      local child = child_spec.read(list[i], place)
      child_spec.check_id(child, known, place)
      known[child.id] = true
      plan.children[i] = child
    end
  end
  return plan
end

return child_spec
