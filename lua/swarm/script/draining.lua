-- Draining: what was replaced goes on with the workers that it has, and is done with after the last
-- of them. And who is alive in which generation, for whoever asks.
local blocks = require "swarm.structure.blocks"
local cancelling = require "swarm.scope.cancel"
local clock = require "swarm.ground.clock"
local definition = require "swarm.worker.definition"
local errors = require "swarm.ground.errors"
local failures = require "swarm.events.failures"
local frames = require "swarm.ground.frames"
local gate = require "swarm.rights.gate"
local free = require("swarm.script.generation").free
local log = require "swarm.events.log"
local raised = require "swarm.ground.raised"
local S = require "swarm.scheduler.scheduler"
local scopes = require "swarm.scope.scope"
local spawning = require "swarm.worker.spawn"
local values = require "swarm.values.values"
local getinfo = debug.getinfo
local floor, max, pairs, sort, xpcall = math.floor, math.max, pairs, table.sort, xpcall

local DISPOSE_SECONDS = 5

local draining = {}

-- Who is alive ------------------------------------------------------------------------------------

local function nobody()
  return { count = 0, besides_main = 0, names = {} }
end

---Counts the live workers of each generation.
---@return table census generation → { count, besides_main (main stays as long as the run), names:
---name → how many }
local function take_census()
  local census = {}
  scopes.each_live(scopes.root, function(w)
    local def = w.task.def
    local generation = def.generation
    local of = census[generation]
    if not of then
      of = nobody()
      census[generation] = of
    end
    local name = def.name or "(function)"
    of.count = of.count + 1
    of.besides_main = of.besides_main + (def == generation.main and 0 or 1)
    of.names[name] = (of.names[name] or 0) + 1
  end)
  return census
end

---The workers, save for main, of the generations that the newest has replaced, or would replace.
function draining.count(line, dry)
  local count, census = 0, take_census()
  for _, alive in pairs(line.alive) do
    if alive ~= line.newest or dry then
      count = count + (census[alive] or nobody()).besides_main
    end
  end
  return count
end

---The generations that are alive and which workers keep them so, the newest last.
---@return table list of { number, newest, workers, besides_main, names }
function draining.list(line)
  local list, census = {}, take_census()
  for number, generation in pairs(line.alive) do
    local of = census[generation] or nobody()
    list[#list + 1] = {
      number = number,
      newest = generation == line.newest,
      workers = of.count,
      besides_main = of.besides_main,
      names = values.object(of.names),
    }
  end
  sort(list, function(a, b)
    return a.number < b.number
  end)
  return values.array(list)
end

---swarm.generations(), of a worker that may know.
function draining.generations(line)
  gate.check(S.current, "read_task_state")
  return draining.list(line)
end

-- The end of a generation -------------------------------------------------------------------------

---Calls a function in a shield: a cancel of the run, or main's new start, leaves it its time.
---@param ends number when its time is up
local function call_in_time(fn, ends)
  local info = getinfo(fn, "S")
  local what = "swarm.on_dispose at " .. frames.source_of(info) .. ":" .. info.linedefined
  local left = floor((ends - clock.monotonic()) * 100 + 0.5) / 100
  return blocks.shielded(what, max(left, 0.01), fn)
end

---Calls the on_dispose functions of a generation in a worker of its own, the last registered first.
---@return boolean whether there are any
local function dispose(generation)
  local list = generation.on_dispose
  generation.on_dispose = {}
  if #list == 0 then
    return false
  end
  local def = definition.internal(generation, "dispose of generation " .. generation.number)
  def.begins = true -- even where all is cancelled before it could
  spawning.root(def, function()
    local ends = clock.monotonic() + DISPOSE_SECONDS
    for i = #list, 1, -1 do
      local ok, problem = xpcall(call_in_time, raised.from_raised, list[i], ends)
      if not ok then
        log.entry("error", "on_dispose failed: " .. errors.headline(problem), nil, S.current.task)
        failures.add(problem)
      end
    end
  end)
  return true
end

---A retired generation has no worker left.
local function on_drained(generation)
  if not dispose(generation) then
    free(generation)
  end
end

---A generation was replaced: it goes on until its last worker has settled.
function draining.begin(generation)
  generation.retired = true
  generation.on_drained = on_drained
  generation.live = (take_census()[generation] or nobody()).count
  if generation.live == 0 then
    on_drained(generation)
  end
end

---Cancels what is alive of the generations before `number`, save for main: it is the run.
function draining.cancel_before(line, number, reason)
  local list = {}
  scopes.each_live(scopes.root, function(w)
    local of = w.task.def.generation
    if of.line == line and of.number > 0 and of.number < number and w.task.def ~= of.main then
      list[#list + 1] = w.task
    end
  end)
  for i = 1, #list do
    local w = list[i].worker
    if w and not w.cancel then
      cancelling.cancel(w, { kind = "cancel", reason = reason, scope = w })
    end
  end
end

---The run is over: calls the on_dispose functions of all generations that are left.
---@return boolean whether there are any
function draining.dispose_all(line)
  local any = false
  for _, generation in pairs(line.alive) do
    any = dispose(generation) or any
  end
  return any
end

return draining
