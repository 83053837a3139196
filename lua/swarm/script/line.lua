-- A script's line of generations: one after another, of which the newest is what names mean. What
-- came before it drains (draining.lua): what is alive stays in it until its last worker settles.
local arguments = require "swarm.ground.arguments"
local draining = require "swarm.script.draining"
local new_generation = require("swarm.script.generation").new
local pools = require "swarm.script.pools"
local registry = require "swarm.script.registry"
local slots = require "swarm.worker.limits.slots"
local states = require "swarm.script.state"
local pairs, type = pairs, type

local lines = {}

---A script's line.
---@param script table what stays the same whatever is loaded anew:
---path; folder: the script's, with its slash; run: what scripts read of the run;
---face: function(generation, run) → the `swarm` of a generation;
---and for spec files prepare: function(env, generation), which gives them their words; helper: a
---module that they find loaded;
---around_run: function(def, run) → the run that a mock may stand in for; ports: the names of the
---host's ports; checked: for `swarm-host check`, all that is wrong with it is gathered
---@return table
function lines.new(script)
  local line = {
    script = script,
    newest = nil, -- the generation that has taken over
    names = {}, -- name → definition, of the newest; every definition of the line holds this table
    alive = {}, -- number → generation: the newest, and those with workers left
    pools = {}, -- name → pool (worker/limits/pools.lua)
    state = {}, -- name → what swarm.state has of that name (state.lua)
    loader = nil, -- the generation that the workers which load belong to; it defines nothing
    attempted = nil, -- the generation that was loaded last, whatever became of it
    attempt = nil, -- the definition of the worker that loaded it
    watch_changed = false, -- files were added since the host asked
  }
  line.loader = new_generation(0, line)
  line.loader.closed = true
  line.newest = line.loader
  return line
end

-- Taking over -------------------------------------------------------------------------------------

---Workers that wait for a slot of the old generation, and those of the new, share one set of slots:
---`concurrency` bounds the worker, whatever its generation.
local function share_slots(old, def)
  local shared = old and old.slots
  if shared and def.slots then
    slots.follow(shared, def.slots)
    def.slots = shared
  end
end

---The generation takes over: from here on its names are what its line's workers spawn. One step:
---nobody runs in between.
function lines.take_over(generation)
  local line = generation.line
  local old, current = line.newest, line.names
  pools.take_over(generation)
  for name, def in pairs(generation.workers) do
    share_slots(current[name], def)
  end
  for name in pairs(current) do
    current[name] = nil
  end
  for name, def in pairs(generation.workers) do
    current[name] = def
  end
  line.newest = generation
  line.alive[generation.number] = generation
  states.accept(generation)
  if old ~= line.loader then
    draining.begin(old)
  end
end

-- What scripts ask for ----------------------------------------------------------------------------

---swarm.on_reload(fn), swarm.on_dispose(fn)
---@param kind string on_reload or on_dispose
function lines.hook(generation, kind, fn)
  registry.still_loading(generation, "swarm." .. kind)
  if type(fn) ~= "function" then
    return arguments.wrong("swarm." .. kind .. " takes a function", fn, "load_error")
  end
  local list = generation[kind]
  list[#list + 1] = fn
end

return lines
