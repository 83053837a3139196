-- Loading: the next generation of a script, off to the side, by a worker of its own, and checked
-- whole; then it takes over in one step. Where anything is wrong with it the last good one stays.
local bridge = require "swarm.outside.bridge"
local cancelling = require "swarm.scope.cancel"
local chunks = require "swarm.sandbox.chunks"
local definition = require "swarm.worker.definition"
local draining = require "swarm.script.draining"
local environment = require "swarm.sandbox.environment"
local errors = require "swarm.ground.errors"
local events = require "swarm.events.run"
local fingerprint = require "swarm.script.fingerprint"
local lines = require "swarm.script.line"
local new_generation = require("swarm.script.generation").new
local registry = require "swarm.script.registry"
local S = require "swarm.scheduler.scheduler"
local spawning = require "swarm.worker.spawn"
local sources = require "swarm.outside.sources"
local values = require "swarm.values.values"
local pairs, sort = pairs, table.sort

local loading = {}

---Loads the script whole, off to the side. The running worker is the loader.
local function load(generation)
  local line = generation.line
  local script = line.script
  local run = script.run
  generation.script_dir = script.folder
  run.script_dir = script.folder == "" and "." or (script.folder:gsub("(.)/$", "%1"))
  local swarm = script.face(generation, run)
  local env = environment.make(generation, swarm)
  if script.prepare then
    script.prepare(env, generation)
  end
  local standard = {}
  for name in pairs(env) do
    standard[name] = true
  end
  sources.note(generation, "files", script.path)
  local _, source = bridge.request("files", { op = "source", path = script.path })
  chunks.compile_file(source, script.path, env)()
  registry.close(generation)
  generation.prints = fingerprint.of_generation(generation, standard)
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
    lines.check_state(line)
    change = difference(old, generation)
    call_on_reload(old, generation, change)
  end
  if not dry then
    lines.take_over(generation)
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
function loading.start(line, dry)
  local old = line.newest
  local generation = new_generation(old.number + 1, line)
  local name = "loading " .. line.script.path
  local def = definition.new(line.loader, { name = name, loading = generation })
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

return loading
