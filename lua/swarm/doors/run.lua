-- The run's script: its generations, what they define, and the workers of the newest that Python
-- spawns: `main`, one by name, the worker of a spec.
local budgets = require "swarm.worker.limits.budget"
local checking = require "swarm.doors.checking"
local definition = require "swarm.worker.definition"
local draining = require "swarm.script.draining"
local ending = require "swarm.doors.ending"
local errors = require "swarm.ground.errors"
local held = require "swarm.doors.held"
local json = require "swarm.values.json"
local lines = require "swarm.script.line"
local loading = require "swarm.script.loading"
local make_face = require "swarm"
local registry = require "swarm.script.registry"
local spawning = require "swarm.worker.spawn"
local sources = require "swarm.outside.sources"
local text_of = require("swarm.values.json").text_of
local values = require "swarm.values.values"
local hold = held.hold

local script = {}

local config -- what Host gave
local run -- what scripts read of the run
local line -- of generations
local budget -- of the run, where it has one, since main last began or work came from outside
local spec -- swarm/testing/words.lua, where the script is a spec file

---@param given table what Host gives
function script.boot(given)
  config = given
  run = {
    args = given.args,
    input = given.input,
    run_id = given.run_id,
    version = given.version,
  }
end

---What only spec files need: it is not loaded for other scripts.
local function for_specs(of)
  spec = require "swarm.testing.words"
  of.prepare = spec.prepare
  of.helper = config.helper
  of.around_run = require("swarm.testing.mock").around_run
  of.ports = config.ports
end

---Starts loading a script as a worker of its own; it becomes the newest generation.
---@param path string
---@param folder string the script's, with its slash
---@return number id of the loading worker
function script.load(path, folder)
  local of = { path = path, folder = folder, run = run, face = make_face }
  of.checked = config.checked
  if config.spec then
    for_specs(of)
  end
  line = lines.new(of)
  return hold(loading.start(line))
end

---Starts loading the script anew; it takes over where all is well. The worker's result says what
---changed.
---@param dry boolean only say what would change
---@param fresh boolean take over even where no definition has changed
---@return number id of the loading worker
function script.reload(dry, fresh)
  return hold(loading.start(line, { dry = dry, fresh = fresh }))
end

---What to watch, as JSON: files, folders, and files that were looked for and are missing.
function script.watched()
  line.watch_changed = false
  return text_of(sources.of(line, spec and require("swarm.testing.app").lines))
end

---Whether there is more to watch than was asked for.
function script.watches()
  return line ~= nil and line.watch_changed
end

---The generations that are alive, as JSON.
function script.generations()
  return text_of(draining.list(line))
end

---Cancels what is alive of the generations before `number`, save for main.
function script.cancel_generations_before(number, reason)
  draining.cancel_before(line, number, reason)
end

---The run is over: on_dispose functions run.
---@return boolean whether there are any
function script.dispose()
  local any = line ~= nil and draining.dispose_all(line)
  for _, of in ipairs(spec and require("swarm.testing.app").lines or {}) do
    any = draining.dispose_all(of) or any
  end
  return any
end

---A definition of the host's own that is no work of the run, and sees what the newest generation
---defines.
---@param name string
---@return table
function script.apart(name)
  return definition.new(line.loader, { name = name, apart = true })
end

---Where a name is looked for by who is of no script: what the newest generation defines.
---@return table
function script.names()
  return { names = line.names, generation = line.newest }
end

---What `swarm-host check` asks of what was loaded last, well or not, as JSON.
function script.checked()
  return checking.facts(line.attempted)
end

---What was defined, as JSON.
function script.describe()
  return text_of(registry.describe(line.newest))
end

---What bounds all that the run uses; nil: nothing does.
---@return table?
function script.budget()
  budget = budget or config.budget and budgets.of_run(config.budget)
  return budget
end

-- Workers for Python ------------------------------------------------------------------------------

---@return number id
function script.spawn_main(timeout)
  local main = line.newest.main
  if not main then
    return errors.throw(
      "load_error",
      line.newest.files[1] .. " has no main: add swarm.main(function(args, ctx) ... end)"
    )
  end
  ending.begin()
  budget = nil -- each run of main has its own
  local task = spawning.root(main, main.run, run.input, timeout, script.budget())
  ending.bounded_by(task, timeout)
  return hold(task)
end

---@return number id
function script.spawn(name, input, timeout)
  local def = spawning.resolve(name, line.newest)
  return hold(spawning.root(def, def.run, input and json.decode(input), timeout))
end

-- Specs -------------------------------------------------------------------------------------------

function script.specs()
  return text_of(values.array(spec.list()))
end

---Spawns the worker of one `it`.
---@return number id
function script.spawn_spec(name)
  local def = definition.internal(line.newest, name)
  return hold(spawning.root(def, spec.runner(name)))
end

return script
