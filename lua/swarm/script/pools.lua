-- The pools of a script: swarm.pool "name" { … }, the pools that workers name, and swarm.unpark.
-- A pool belongs to the run: each generation says what its numbers are from then on.
local arguments = require "swarm.ground.arguments"
local attempts = require "swarm.worker.attempts"
local cancelling = require "swarm.scope.cancel"
local errors = require "swarm.ground.errors"
local gate = require "swarm.rights.gate"
local limits = require "swarm.worker.limits.pools"
local record = require "swarm.scheduler.record"
local S = require "swarm.scheduler.scheduler"
local shown = require "swarm.ground.shown"
local spelling = require "swarm.ground.spelling"
local format, huge, pairs, type = string.format, math.huge, pairs, type

local pools = {}

local FIELDS = { slots = true, per_second = true, per_minute = true, burst = true, park = true }
local GUESSES = { concurrency = "slots", max = "slots", size = "slots", rate = "per_second" }

local function wrong(field, ...)
  return errors.throw("load_error", format(...), { field = field })
end

local function is_count(value)
  return type(value) == "number" and value >= 1 and value % 1 == 0 and value < huge
end

local function is_amount(value)
  return type(value) == "number" and value > 0 and value < huge
end

local CHECKS = {
  slots = { is_count, "a whole number, one or more" },
  per_second = { is_amount, "how many may begin in a second, above zero" },
  per_minute = { is_amount, "how many may begin in a minute, above zero" },
  burst = { is_count, "how many may begin at once, one or more" },
}

local function check_park(name, park)
  if type(park) == "table" then
    for key in pairs(park) do
      if key ~= "max" then
        return wrong("park", "pool %q: park has no field %s; it has max", name, shown.value(key))
      end
    end
    if not is_amount(park.max) then
      local what = "pool %q: park.max must be seconds above zero, and is %s"
      return wrong("park", what, name, shown.value(park.max))
    end
  elseif type(park) ~= "boolean" then
    local what = "pool %q: park must be true, or seconds at most as { max = 21600 }, and is %s"
    return wrong("park", what, name, shown.value(park))
  end
end

---Checks a swarm.pool where it stands.
function pools.check(name, fields)
  if type(fields) ~= "table" then
    return arguments.wrong(format("pool %q takes a table of fields", name), fields, "load_error")
  end
  for key, value in pairs(fields) do
    if not FIELDS[key] then
      local guess = GUESSES[key]
      local hint = guess and "; did you mean " .. guess .. "?" or spelling.hint(key, FIELDS, "")
      hint = hint == "" and "; its fields are " .. spelling.list(FIELDS) or hint
      return wrong(key, "pool %q has no field %s%s", name, shown.value(key), hint)
    end
    local check = CHECKS[key]
    if check and not check[1](value) then
      local what = "pool %q: %s must be %s, and is %s"
      return wrong(key, what, name, key, check[2], shown.value(value))
    end
  end
  if fields.park ~= nil then
    check_park(name, fields.park)
  end
  local has_rate = fields.per_second or fields.per_minute
  if fields.burst and not has_rate then
    local what = "pool %q: burst belongs to a rate, and neither per_second nor per_minute is there"
    return wrong("burst", what, name)
  elseif not (fields.slots or has_rate or fields.park) then
    local what = "pool %q limits nothing: give it slots, per_second, per_minute or park"
    return wrong("slots", what, name)
  end
end

---The names of the pools that a worker is in.
---@param given any what stands in its field, which need not be right
---@return string[]?
function pools.names(given)
  if type(given) ~= "table" then
    return given and { given }
  end
  local names, seen = {}, {}
  for i = 1, #given do
    if not seen[given[i]] then
      names[#names + 1], seen[given[i]] = given[i], true
    end
  end
  return names
end

---Once all is defined: refuses a worker that is in a pool which is not there.
function pools.resolve(generation)
  local known = generation.pools
  for _, def in pairs(generation.workers) do
    local names = def.slots and def.slots.names or {}
    for i = 1, #names do
      local pool = known[names[i]]
      if not pool then
        local hint = spelling.hint(names[i], known, "")
        local list = spelling.list(known)
        hint = hint ~= "" and hint
          or list ~= "" and "; there is " .. list
          or '; write swarm.pool "' .. names[i] .. '" { slots = 4 }'
        return errors.throw(
          "load_error",
          format("worker %q: there is no pool %q%s", def.name, names[i], hint),
          { field = "pool", where = def.where }
        )
      end
      def.parks = def.parks or (pool.fields.park and true or false)
    end
    if def.parks and not def.retries then
      def.retries = attempts.NONE
    end
  end
end

---The generation takes over: its numbers hold, for those too that wait already.
function pools.take_over(generation)
  local of_run = generation.line.pools
  for name, pool in pairs(generation.pools) do
    of_run[name] = of_run[name] or limits.new(name)
    limits.set(of_run[name], pool.fields)
  end
  for _, def in pairs(generation.workers) do
    local names = def.slots and def.slots.names
    if names then
      local list = {}
      for i = 1, #names do
        list[i] = of_run[names[i]]
      end
      def.slots.pools = list
    end
  end
  return limits.grant()
end

---swarm.unpark(name) → boolean: whether the pool was parked
function pools.unpark(name)
  cancelling.not_while_loading()
  local me = S.current
  gate.check(me, "cancel_task")
  local known = me.task.def.generation.line.pools
  local pool = type(name) == "string" and known[name]
  if not pool then
    local hint = type(name) == "string" and spelling.hint(name, known, "") or ""
    return errors.throw("invalid_argument", "there is no pool " .. shown.value(name) .. hint)
  end
  return limits.unpark(pool, record.named(me.task))
end

return pools
