-- swarm.state: what lives as long as the run, the same in all generations of a script. A table of
-- JSON-like values, which may hold channels, semaphores, events and locks, or one of these alone.
-- What a loading made that did not take over is forgotten as the next one begins.
local arguments = require "swarm.ground.arguments"
local cancelling = require "swarm.scope.cancel"
local errors = require "swarm.ground.errors"
local frames = require "swarm.ground.frames"
local gate = require "swarm.rights.gate"
local made = require "swarm.sharing.made"
local opaque = require "swarm.ground.opaque"
local S = require "swarm.scheduler.scheduler"
local shared = require "swarm.journal.shared"
local shown = require "swarm.ground.shown"
local values = require "swarm.values.values"
local waiting = require "swarm.scope.waiting"
local error, next, pairs, pcall, type, xpcall = error, next, pairs, pcall, type, xpcall

local SHARED = { channel = true, semaphore = true, event = true, lock = true }

local state = {}

local function described(name)
  return "swarm.state(" .. shown.value(name) .. ")"
end

---Notes every table and object in a value: which it is.
local function note(value, path, noted)
  if type(value) ~= "table" or noted[value] then
    return
  end
  noted[value] = path
  local object = opaque.of(value)
  if object then
    noted[object] = path
    return
  end
  for key, item in next, value do
    if type(item) == "table" then
      note(item, path .. shown.step(key), noted)
    end
  end
end

---Where each table, and each object and its record, is in the state of a script.
---@param line table
---@return table value → such as 'swarm.state("house").jobs'
function state.paths(line)
  local noted = {}
  for name, entry in pairs(line.state) do
    if not entry.by then
      note(entry.value, described(name), noted)
    end
  end
  return noted
end

---What the state begins with: the run's, and nobody else's.
local function first_value(name, init)
  local value = init
  if type(init) == "function" then
    value = init()
    if type(value) ~= "table" then
      return arguments.wrong(described(name) .. ": its function returns a table or object", value)
    end
  end
  value = value == nil and {} or values.copy(value, "init")
  values.outside(value, "init", nil, SHARED)
  local noted = {}
  note(value, "", noted)
  for one in pairs(noted) do
    local object = opaque.of(one)
    if object then
      made.keep(object)
    end
  end
  return value
end

---The first to ask makes it. Its function may wait; whoever asks meanwhile waits for it.
local function make(generation, name, init)
  local line = generation.line
  local all = line.state
  local entry = {
    value = nil,
    of = line.alive[generation.number] ~= generation and generation or nil, -- it may yet fail
    by = S.current, -- who makes it
    waiters = { head = nil, tail = nil },
  }
  all[name] = entry
  local ok, value = xpcall(first_value, frames.passing, name, init)
  S.ready_all(entry.waiters)
  if not ok then
    all[name] = nil
    return error(value, 0)
  end
  entry.value, entry.by, entry.waiters = value, nil, nil
  return entry
end

local function wait_for(name, entry)
  local me = S.current
  if entry.by == me then
    return errors.throw("deadlock", described(name) .. " is asked for by its own function")
  end
  local parked = waiting.park_in(me, entry.waiters, { what = described(name) .. " to be made" })
  cancelling.may_request(me)
  if not parked then
    waiting.barred "swarm.state"
  end
end

---swarm.state(name, init?) → the table or object of that name, which lives as long as the run
function state.get(generation, name, init)
  gate.check(S.current, "fetch_data")
  shared.use(nil)
  if type(name) ~= "string" or name == "" then
    return arguments.wrong("swarm.state takes a name", name)
  elseif init ~= nil and type(init) ~= "function" and type(init) ~= "table" then
    local takes = "swarm.state takes a table, a channel or the like, or a function that makes one"
    return arguments.wrong(takes, init)
  end
  local all = generation.line.state
  while all[name] and all[name].by do
    wait_for(name, all[name])
  end
  local entry = all[name] or make(generation, name, init)
  if entry.of ~= generation then
    entry.of = nil -- two generations have it: it stays, whatever becomes of the one that made it
  end
  return entry.value
end

---What swarm.state holds must be able to cross from one generation into the next.
function state.check(line)
  for name, entry in pairs(line.state) do
    local ok, problem = pcall(values.outside, entry.value, described(name), nil, SHARED)
    if not ok then
      return errors.throw("invalid_value", problem.message, { path = problem.path })
    end
  end
end

---The generation has taken over: what it made is the run's.
function state.accept(generation)
  for _, entry in pairs(generation.line.state) do
    if entry.of == generation then
      entry.of = nil
    end
  end
end

---Forgets what was made by a loading that did not take over, and is nobody else's.
function state.forget(line)
  local all = line.state
  for name, entry in pairs(all) do
    if entry.of then
      all[name] = nil
    end
  end
end

return state
