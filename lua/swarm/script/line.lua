-- Generations: one loading of a script and all that it requires. The next is loaded off to the
-- side, by a worker of its own, and checked whole; then it takes over in one step. The one before
-- drains (draining.lua): what is alive stays in it until its last worker has settled.
local bridge = require "swarm.outside.bridge"
local cancelling = require "swarm.scope.cancel"
local chunks = require "swarm.sandbox.chunks"
local draining = require "swarm.script.draining"
local errors = require "swarm.ground.errors"
local events = require "swarm.events.run"
local fingerprint = require "swarm.script.fingerprint"
local names = require "swarm.ground.spelling"
local registry = require "swarm.script.registry"
local sandbox = require "swarm.sandbox.environment"
local slots = require "swarm.worker.slots"
local spawning = require "swarm.worker.spawn"
local S = require "swarm.scheduler.scheduler"
local values = require "swarm.values.values"
local watched = require "swarm.outside.sources"
local pairs, pcall, type = pairs, pcall, type
local sort = table.sort

local generations = {
  make_face = nil, -- swarm.lua: the public face of a generation
}

---A script's line of generations: one after another, of which the newest is what names mean.
---@param script table { path, folder: the script's, with its slash; run: what scripts read of the
---run; prepare: function(env, generation) or nil }
---@return table
function generations.new_line(script)
  local line = {
    script = script,
    newest = nil, -- the generation that has taken over
    names = {}, -- name → definition, of the newest; every definition of the line holds this table
    alive = {}, -- number → generation: the newest, and those with workers left
    state = {}, -- name → table of swarm.state
    attempted = nil, -- the generation that was loaded last, whatever became of it
    attempt = nil, -- the definition of the worker that loaded it
    watch_changed = false, -- files were added since the host asked
  }
  line.loader = registry.new(0, line) -- what the workers that load belong to
  line.loader.closed = true
  line.newest = line.loader
  return line
end

-- Loading -----------------------------------------------------------------------------------------

---Loads the script whole, off to the side. The running worker is the loader.
local function load(generation)
  local line = generation.line
  local script = line.script
  local run = script.run
  generation.script_dir = script.folder
  run.script_dir = script.folder == "" and "." or (script.folder:gsub("(.)/$", "%1"))
  local swarm = generations.make_face(generation, run)
  local env = sandbox.environment(generation, swarm)
  if script.prepare then
    script.prepare(env, generation)
  end
  local standard = {}
  for name in pairs(env) do
    standard[name] = true
  end
  watched.note(generation, "files", script.path)
  local _, source = bridge.request("files", { op = "source", path = script.path })
  chunks.compile_file(source, script.path, env)()
  registry.close(generation)
  generation.prints = fingerprint.of_generation(generation, standard)
end

---What swarm.state holds must be able to cross from one generation into the next.
local function check_state(line)
  for name, state in pairs(line.state) do
    local ok, problem = pcall(values.outside, state, "swarm.state(" .. names.show(name) .. ")")
    if not ok then
      return errors.throw("invalid_value", problem.message, { path = problem.path })
    end
  end
end

---What differs between two generations, as lists of what is named: "worker count", "role reader".
---@return table { added, removed, changed }
local function difference(old, new)
  local added, removed, changed = {}, {}, {}
  for what, text in pairs(new.prints) do
    local before = old.prints[what]
    if before == nil then
      added[#added + 1] = what
    elseif before ~= text then
      changed[#changed + 1] = what
    end
  end
  for what in pairs(old.prints) do
    if new.prints[what] == nil then
      removed[#removed + 1] = what
    end
  end
  sort(added)
  sort(removed)
  sort(changed)
  return { added = added, removed = removed, changed = changed }
end

local function keys_of(map)
  local list = {}
  for key in pairs(map) do
    list[#list + 1] = key
  end
  sort(list)
  return list
end

local function call_on_reload(old, new, change)
  for i = 1, #new.on_reload do
    local told = {
      generation = new.number,
      added = values.copy(change.added, "added"),
      removed = values.copy(change.removed, "removed"),
      changed = values.copy(change.changed, "changed"),
    }
    new.on_reload[i]({
      generation = old.number,
      workers = keys_of(old.workers),
      roles = keys_of(old.roles),
      files = values.copy(old.files, "files"),
    }, told)
  end
end

-- Taking over -------------------------------------------------------------------------------------

---Workers that wait for a slot of the old generation, and those of the new, share one set of slots:
---`concurrency` bounds the worker, whatever its generation.
local function share_slots(old, def)
  local shared = old and old.slots
  if shared and def.slots then
    shared.max = def.slots.max
    def.slots = shared
    slots.grant(shared)
  end
end

---The generation takes over: from here on its names are what its line's workers spawn. One step:
---nobody runs in between.
local function take_over(generation)
  local line = generation.line
  local old, current = line.newest, line.names
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
  if old ~= line.loader then
    draining.begin(old)
  end
end

---What a reload changed, as it crosses.
local function told_of(generation, change)
  return {
    generation = generation.number,
    added = values.array(values.copy(change.added, "added")),
    removed = values.array(values.copy(change.removed, "removed")),
    changed = values.array(values.copy(change.changed, "changed")),
  }
end

---What a worker that loads does: all that can refuse comes before the generation takes over.
---@param old table the generation that was the newest when it began
---@return table result what changed, and how many workers drain
local function replace(old, generation, dry)
  local line = generation.line
  load(generation)
  if line.newest ~= old then
    local path = line.script.path
    return errors.throw("load_error", "another reload of " .. path .. " came before")
  end
  local is_first = old == line.loader
  local change = { added = {}, removed = {}, changed = {} }
  if not is_first then
    check_state(line)
    change = difference(old, generation)
    call_on_reload(old, generation, change)
  end
  if not dry then
    take_over(generation)
    if not is_first and events.on then
      events.publish_run("reloaded", told_of(generation, change))
    end
  end
  local result = told_of(generation, change)
  result.draining = draining.count(line, dry)
  return result
end

---Starts a worker that loads the script anew. Its result says what changed; where it fails, the
---last good generation stays.
---@param dry boolean? say what would change, and change nothing
---@return table task
function generations.start(line, dry)
  local old = line.newest
  local generation = registry.new(old.number + 1, line)
  local def = registry.internal(line.loader, "loading " .. line.script.path)
  def.loading = generation
  if line.attempt then
    -- A failed loader stays findable for a while, and what it loaded does not stay with it.
    line.attempt.loading = nil
  end
  line.attempted, line.attempt = generation, def
  return spawning.root(def, function()
    local me = S.current
    cancelling.begin_loading(me)
    local result = replace(old, generation, dry)
    cancelling.end_loading(me)
    return result
  end)
end

-- What scripts ask for ----------------------------------------------------------------------------

---swarm.state(name, init?) → the table of that name, which lives as long as the run
function generations.state(line, name, init)
  if type(name) ~= "string" or name == "" then
    return errors.throw(
      "invalid_argument",
      "swarm.state takes a name, and got " .. names.show(name)
    )
  elseif init ~= nil and type(init) ~= "table" then
    return errors.throw(
      "invalid_argument",
      "swarm.state takes a table to begin with, and got " .. names.show(init)
    )
  end
  local state = line.state[name]
  if not state then
    state = init == nil and {} or values.copy(init, "init")
    line.state[name] = state
  end
  return state
end

---swarm.on_reload(fn), swarm.on_dispose(fn)
---@param kind string on_reload or on_dispose
function generations.hook(generation, kind, fn)
  registry.still_loading(generation, "swarm." .. kind)
  if type(fn) ~= "function" then
    return errors.throw(
      "load_error",
      "swarm." .. kind .. " takes a function, and got " .. names.show(fn)
    )
  end
  local list = generation[kind]
  list[#list + 1] = fn
end

return generations
