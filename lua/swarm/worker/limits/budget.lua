-- Budgets: how much a task and all below it may use. What they tell (`usage` events) is added to
-- each budget above them as it comes, so what was killed counts by what it had told. Before an
-- attempt begins each of them is looked at: one that is spent refuses it. A task with a budget of
-- its own takes what it may use out of the one above it, for as long as an attempt of it runs: what
-- is taken there is left for nobody else.
--
-- Seconds are those since the task of the budget began: they are nobody's to take.
local clock = require "swarm.ground.clock"
local errors = require "swarm.ground.errors"
local log = require "swarm.events.log"
local record = require "swarm.scheduler.record"
local shown = require "swarm.ground.shown"
local spelling = require "swarm.ground.spelling"
local tally = require "swarm.events.tally"
local error, format, max, min = error, string.format, math.max, math.min
local next, pairs, type = next, pairs, type

local budgets = {}

local FIELDS = { tokens = true, cost = true, seconds = true }
local UNTOLD = "the worker tells no usage. Items of output.format ndjson, sse or frames can, as "
  .. '{ type = "usage", %s = ... }'
local LATER = { requests = true, tool_calls = true }

-- Reading -----------------------------------------------------------------------------------------

---Checks the amounts of a budget.
---@param what string whose it is, as messages name it
---@param given any what an author gave
---@return table limits
function budgets.limits(what, given)
  local function wrong(...)
    return errors.throw("load_error", format(...), { field = "budget" })
  end
  if type(given) ~= "table" or next(given) == nil then
    local message = "%s: budget must be amounts such as { cost = 5 }, and is %s"
    return wrong(message, what, type(given) == "table" and "empty" or shown.value(given))
  end
  local limits = {}
  for key, value in pairs(given) do
    if not FIELDS[key] then
      local hint = LATER[key] and ": it is not built yet" or spelling.hint(key, FIELDS, "")
      hint = hint == "" and "; it has cost, seconds and tokens" or hint
      return wrong("%s: budget has no %s%s", what, shown.value(key), hint)
    elseif type(value) ~= "number" or not (value > 0 and value < 1 / 0) then
      local message = "%s: budget.%s must be a number above zero, and is %s"
      return wrong(message, what, key, shown.value(value))
    end
    limits[key] = value
  end
  return limits
end

---Whether what a worker uses of something can be known.
local function is_told(def, what)
  local tells = def.tells
  if type(tells) == "table" then
    return tells[what] ~= false
  end
  return tells ~= false or what == "seconds"
end

---Refuses a budget of what its worker never tells: it could not be kept.
function budgets.check(def)
  for what in pairs(def.budget or {}) do
    if not is_told(def, what) then
      local message = "worker %q: budget.%s cannot be kept: "
      local why = def.tells and def.tells.why or format(UNTOLD, what)
      local fields = { field = "budget", where = def.where }
      return errors.throw("load_error", format(message, def.name, what) .. why, fields)
    end
  end
end

-- What is left ------------------------------------------------------------------------------------

---A budget.
---@param limits table
---@param outer table? the budget that it is a part of
---@param task table? whose it is; nil: the run's
function budgets.new(limits, outer, task)
  return {
    limits = limits,
    outer = outer,
    task = task,
    bearer = nil, -- whose token has it in a caveat
    spent = {}, -- sums, as tally adds them
    caps = {}, -- what → how much its attempt may have spent at its end: taken out of an outer one
    takers = {}, -- what → budgets that have taken a part of it
    began = nil, -- on the monotonic clock
  }
end

---The budget of a run, which begins now.
function budgets.of_run(limits)
  local budget = budgets.new(limits, nil, nil)
  budget.began = clock.monotonic()
  return budget
end

---The budget in a caveat of a token, which begins now.
---@param outer table?
---@param bearer table the task that the token speaks for
function budgets.of_token(limits, outer, bearer)
  local budget = budgets.new(limits, outer, nil)
  budget.began, budget.bearer = clock.monotonic(), bearer
  return budget
end

---Adds what was used to a budget and those it is a part of.
function budgets.used(budget, event)
  while budget do
    tally.add_to(budget.spent, event)
    budget = budget.outer
  end
end

local function left_in(budget, what)
  if what == "seconds" then
    return budget.limits.seconds - (clock.monotonic() - (budget.began or clock.monotonic()))
  end
  local left = (budget.caps[what] or budget.limits[what]) - (budget.spent[what] or 0)
  for taker in pairs(budget.takers[what] or {}) do
    left = left - max(0, taker.caps[what] - (taker.spent[what] or 0))
  end
  return left
end

---How much may be used under a budget, by all that bounds it.
---@return number? left nil: nothing bounds it
---@return table? of the budget of which least is left
function budgets.left(budget, what)
  local least, of
  while budget do
    local left = budget.limits[what] and left_in(budget, what)
    if left and (not least or left < least) then
      least, of = left, budget
    end
    if left and budget.caps[what] then
      break -- it was taken out of those above
    end
    budget = budget.outer
  end
  return least, of
end

local function name_of(budget)
  if budget.bearer then
    return "a token of worker " .. record.named(budget.bearer)
  end
  return budget.task and "worker " .. record.named(budget.task) or "the run"
end

local function exceeded(task, budget, what)
  local spent = what == "seconds" and clock.monotonic() - budget.began or budget.spent[what] or 0
  local message = format(
    "worker %s was not started: the budget of %s of %s is spent or reserved (%.6g of %.6g used)",
    record.named(task),
    what,
    name_of(budget),
    spent,
    budget.caps[what] or budget.limits[what]
  )
  local err = errors.new("budget_exceeded", message, { what = what, traceback = "" })
  err.refused = true
  return err
end

-- Of a task ---------------------------------------------------------------------------------------

local told = setmetatable({}, { __mode = "k" }) -- definitions of which it was said

---Says once of a worker that what it uses is not counted.
local function tell_untold(task, what)
  local def = task.def
  if not told[def] then
    told[def] = true
    local message = "worker %s tells no %s: the budget of %s does not count what it spends"
    local untold = def.tells and what or "usage"
    log.entry("warn", format(message, record.title(task), untold, what), nil, task)
  end
end

---Takes what a budget may use out of the nearest one above that bounds it.
local function take(budget)
  for what, limit in pairs(budget.limits) do
    local left = budgets.left(budget.outer, what)
    if what ~= "seconds" and left then
      local spent = budget.spent[what] or 0
      budget.caps[what] = min(limit, spent + left)
      local from = budget.outer
      while not from.limits[what] do
        from = from.outer
      end
      from.takers[what] = from.takers[what] or {}
      from.takers[what][budget] = true
    end
  end
end

---An attempt is about to begin.
---@return table? err nothing is left of a budget: it must not
function budgets.begin(task)
  local budget = task.extra.budget
  for what in pairs(FIELDS) do
    local left, of = budgets.left(budget, what)
    if left and left <= 0 then
      return exceeded(task, of, what)
    elseif left and not is_told(task.def, what) then
      tell_untold(task, what)
    end
  end
  if budget.task == task then
    budget.began = budget.began or clock.monotonic()
    take(budget)
  end
end

---An attempt is over: what it has not used is given back.
function budgets.leave(task)
  local budget = task.extra.budget
  if budget.task ~= task then
    return
  end
  for what in pairs(budget.caps) do
    local from = budget.outer
    while not from.limits[what] do
      from = from.outer
    end
    from.takers[what][budget] = nil
  end
  budget.caps = {}
end

---What runs in place of a worker that must not begin.
function budgets.refuse(err)
  return error(err, 0)
end

---What is left under a budget: amounts by their names.
function budgets.all_left(budget)
  local left = {}
  for what in pairs(FIELDS) do
    local amount = budgets.left(budget, what)
    left[what] = amount and max(0, amount)
  end
  return left
end

return budgets
