-- Calls that wait for many workers: all, map, any, race and settle. Each runs in a block of its own
-- (group.lua), so that what it starts has settled when it returns, however it ends. What a member
-- failed with is delivered by the call, and so owned.
local arguments = require "swarm.ground.arguments"
local blocks = require "swarm.structure.blocks"
local cancelling = require "swarm.scope.cancel"
local deadlock = require "swarm.worker.deadlock"
local errors = require "swarm.ground.errors"
local gate = require "swarm.rights.gate"
local groups = require "swarm.structure.group"
local members = require "swarm.structure.members"
local scopes = require "swarm.scope.scope"
local shown = require "swarm.ground.shown"
local site = require "swarm.ground.site"
local spawning = require "swarm.worker.spawn"
local values = require "swarm.values.values"

local take_site, FORMAT, LEVELS = site.take, site.FORMAT, site.LEVELS
local type, error, pcall, rawget, next = type, error, pcall, rawget, next
local format, setmetatable, huge = string.format, setmetatable, math.huge
local copy, own, keep_failed = values.copy, groups.own, groups.keep_failed
local error_for = scopes.error_for

local gather = {}

---What every call begins with: it may yield, and so is a point of cancellation.
local function enter(cancels)
  local me = cancelling.enter()
  if me.rights.poll_task ~= true then
    gate.check(me, "poll_task")
  end
  if cancels and me.rights.cancel_task ~= true then
    gate.check(me, "cancel_task")
  end
  return me
end

---What a worker made, as a copy of the reader's own.
local function own_copy(value)
  if type(value) == "table" then
    return copy(value, "result")
  end
  return value
end

---A list of results: empty, it is still a list where it crosses.
local function results_of(list, n)
  if n == 0 then
    return values.array(list)
  end
  for i = 1, n do
    local value = list[i]
    if type(value) == "table" then
      list[i] = copy(value, "result")
    end
  end
  return list
end

---A call on a list: it is read whole before anything starts, and then run in a block of its own.
---@param call table { name, ended, run; needs_all, cancels: whether it does }
---@param list any what the author gave
---@param extra any what stood behind it
---@param taken any the place of the call, as site.take has it
local function gather_list(call, list, extra, taken)
  local name, me = call.name, enter(call.cancels)
  members.check_no_more(extra, name)
  local entries, n, already = members.read(list, name, me, call.needs_all)
  local group = groups.new(name, me, taken, call.ended, call.needs_all)
  return blocks.apart(name, call.run, group, entries, n, already)
end

-- all and map -------------------------------------------------------------------------------------

-- The second result of `all` and `map`. Where a worker returns it, it is the reason, as text.
local Blockeds = { __metatable = "swarm.blockeds" }

function Blockeds.__tostring(blockeds)
  local count, least, is_blocked = 0, huge, true
  for i, err in next, blockeds do
    count = count + 1
    least = i < least and i or least
    is_blocked = is_blocked and err.code == "blocked"
  end
  local first = blockeds[least]
  return format(
    "%d worker%s; [%d]: %s",
    count,
    is_blocked and (count == 1 and " is blocked" or "s are blocked")
      or (count == 1 and "" or "s") .. " did not pass",
    least,
    first.code == "blocked" and shown.text(first.reason) or errors.headline(first)
  )
end

local function needed(group, i, task)
  local status = task.status
  if status == "pass" then
    group.values[i] = task.value
  elseif status == "blocked" or group.keep_going then
    group.values[i] = task.value
    group.blockeds = group.blockeds or setmetatable({}, Blockeds)
    group.blockeds[i] = error_for(task, group.me.rights)
    groups.keep_failed(group, task)
  else
    groups.fail(group, task)
  end
end

local function run_all(group, entries, n, already)
  group.values, group.blockeds = {}, nil
  groups.start(group, entries, n, already)
  groups.wait(group)
  if group.first then
    return groups.raise_first(group)
  end
  return results_of(group.values, n), group.blockeds
end

local ALL = { name = "swarm.all", ended = needed, run = run_all, needs_all = true, cancels = true }

---swarm.all(list) → values in order, blocked errors by index or nil; raises the first failure
function gather.all(list, extra)
  return gather_list(ALL, list, extra, (take_site(FORMAT, LEVELS)))
end

---Starts the worker of one item.
local function spawn_item(group, i, name, items)
  local extra = { item = i, watchers = nil } -- with room for the group's node
  local ok, task = pcall(groups.spawn, group, i, name, items[i], extra)
  if ok then
    if i == 1 and task.def.slots then
      deadlock.check_slots(group.me, task)
    end
    return task
  elseif errors.is(task) and task.code == "invalid_value" then
    task.message = format("swarm.map: items[%d]: %s", i, task.message)
  end
  return error(task, 0)
end

---Starts workers of the items from `from` to `to`; the first of them runs first.
local function start_items(group, from, to, name, items)
  local begun = {}
  for i = from, to do
    begun[#begun + 1] = spawn_item(group, i, name, items)
  end
  for i = #begun, 1, -1 do
    groups.hasten(begun[i])
  end
end

local function run_map(group, name, items, n, most, keep_going)
  group.keep_going = keep_going
  group.scope, group.values, group.blockeds = group.me.scope, {}, nil
  local started = 0
  repeat
    local room = most - group.live
    local last = n - started > room and started + room or n
    start_items(group, started + 1, last, name, items)
    started = last
    group.eager = started < n
    groups.wait(group)
  until group.over or (started == n and group.live == 0)
  if group.first then
    return groups.raise_first(group)
  end
  own(group)
  return results_of(group.values, n), group.blockeds
end

local function check_concurrency(value)
  if type(value) ~= "number" or value < 1 or value % 1 ~= 0 then
    return errors.throw(
      "invalid_argument",
      "map's option concurrency takes a whole number, one or more, and got " .. shown.value(value)
    )
  end
  return value
end

local MAP_OPTIONS = { concurrency = true, keep_going = true }

---swarm.map(name or function, items, opts?) → as `all`: a worker for each item, `opts.concurrency`
---of them at once
function gather.map(name, items, opts)
  local taken = take_site(FORMAT, LEVELS)
  local me = enter(true)
  if type(name) == "string" then
    spawning.resolve(name, me.task.def.generation)
  elseif type(name) ~= "function" then
    return errors.throw(
      "invalid_argument",
      "swarm.map takes a worker's name or a function first, and got " .. shown.value(name)
    )
  end
  local n = members.check_list(items, "swarm.map", "items")
  local most, keep_going = huge, nil
  if opts ~= nil then
    arguments.options(opts, MAP_OPTIONS, "map")
    keep_going = arguments.boolean(opts.keep_going, "map's option keep_going")
    most = opts.concurrency == nil and huge or check_concurrency(opts.concurrency)
  end
  local inputs = {}
  for i = 1, n do
    inputs[i] = rawget(items, i) -- the author's list may change meanwhile
  end
  local group = groups.new("swarm.map", me, taken, needed, true)
  return blocks.apart("swarm.map", run_map, group, name, inputs, n, most, keep_going)
end

-- any and race ------------------------------------------------------------------------------------

---A failure after the decision is nobody's result: it is logged like one that nobody waits for.
local function decide(group, i, task)
  group.over, group.index, group.winner = true, i, task
  group.node_meta.owns = false
end

local function tried(group, i, task)
  if task.status == "pass" and not group.over then
    return decide(group, i, task)
  end
  group.errors[i] = error_for(task, group.me.rights)
  keep_failed(group, task)
end

local function run_any(group, entries, n, already)
  group.errors, group.index, group.winner = {}, nil, nil
  groups.start(group, entries, n, already)
  groups.wait(group)
  local winner = group.winner
  if winner then
    groups.end_losers(group, "another worker of swarm.any passed first")
    groups.check_cancel(group)
    own(group)
    return own_copy(winner.value), group.index
  end
  own(group)
  local message = n == 0 and "swarm.any got an empty list, of which none can pass"
    or format(
      "%s; the first: %s",
      n == 1 and "the one worker of swarm.any did not pass"
        or format("none of the %d workers of swarm.any passed", n),
      errors.headline(group.errors[1])
    )
  return errors.throw("none_passed", message, { errors = group.errors })
end

local ANY = { name = "swarm.any", ended = tried, run = run_any, needs_all = false, cancels = true }

---swarm.any(list) → value, i of the first that passes; raises none_passed{errors}
function gather.any(list, extra)
  return gather_list(ANY, list, extra, (take_site(FORMAT, LEVELS)))
end

local function arrived(group, i, task)
  if not group.over then
    decide(group, i, task)
  end
  keep_failed(group, task)
end

local function run_race(group, entries, n, already)
  if n == 0 then
    return errors.throw(
      "invalid_argument",
      "swarm.race got an empty list, of which none can settle first"
    )
  end
  group.index, group.winner = nil, nil
  groups.start(group, entries, n, already)
  groups.wait(group)
  groups.end_losers(group, "another worker of swarm.race settled first")
  groups.check_cancel(group)
  own(group)
  return group.winner.handle, group.index
end

local RACE =
  { name = "swarm.race", ended = arrived, run = run_race, needs_all = false, cancels = true }

---swarm.race(list) → h, i of the first that settles
function gather.race(list, extra)
  return gather_list(RACE, list, extra, (take_site(FORMAT, LEVELS)))
end

-- settle ------------------------------------------------------------------------------------------

local function noted(group, i, task)
  local err = error_for(task, group.me.rights)
  group.outcomes[i] = { status = task.status, value = task.value, err = err }
  keep_failed(group, task)
end

local function run_settle(group, entries, n, already)
  group.outcomes = {}
  groups.start(group, entries, n, already)
  groups.wait(group)
  own(group)
  local outcomes = group.outcomes
  for i = 1, n do
    outcomes[i].value = own_copy(outcomes[i].value)
  end
  return n == 0 and values.array(outcomes) or outcomes
end

local SETTLE =
  { name = "swarm.settle", ended = noted, run = run_settle, needs_all = true, cancels = false }

---swarm.settle(list) → a list of { status, value, err }; never raises for them
function gather.settle(list, extra)
  return gather_list(SETTLE, list, extra, (take_site(FORMAT, LEVELS)))
end

return gather
