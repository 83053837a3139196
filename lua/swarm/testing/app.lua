-- swarm.script, in spec files: the script under test. It is loaded in a line of generations of its
-- own, as a run would load it: names in it mean its own workers, and the spec reaches them by the
-- object that it gets.
local arguments = require "swarm.ground.arguments"
local cancelling = require "swarm.scope.cancel"
local ends = require "swarm.scope.ends"
local errors = require "swarm.ground.errors"
local frames = require "swarm.ground.frames"
local join = require "swarm.worker.join"
local lines = require "swarm.script.line"
local loading = require "swarm.script.loading"
local opaque = require "swarm.ground.opaque"
local raised = require "swarm.ground.raised"
local records = require "swarm.scheduler.record"
local S = require "swarm.scheduler.scheduler"
local shown = require "swarm.ground.shown"
local site = require "swarm.ground.site"
local spawning = require "swarm.worker.spawn"
local values = require "swarm.values.values"
local waiting = require "swarm.scope.waiting"

local take_site, FORMAT, LEVELS = site.take, site.FORMAT, site.LEVELS
local type = type

local app = {
  lines = {}, -- of the scripts, in the order of loading
}

-- Loading -----------------------------------------------------------------------------------------

---Loads a script as a run would, by a worker of its own, and waits for it: also while the spec file
---itself loads, when nothing else may be waited for.
---@param spec table the spec file, as its line has it
---@return table generation
local function load_apart(path, folder, spec)
  local me, run = S.current, spec.run
  local line = lines.new {
    path = path,
    folder = folder,
    run = { args = {}, input = nil, run_id = run.run_id, version = run.version },
    face = spec.face,
    around_run = spec.around_run,
  }
  app.lines[#app.lines + 1] = line
  local task = loading.start(line)
  while task.worker do
    task.worker.joiners = me
    local parked = S.park(me, { what = "script " .. path .. " to load" })
    if task.worker then
      task.worker.joiners = nil
    end
    cancelling.may_request(me)
    if not parked then
      return waiting.barred("swarm.script")
    end
  end
  local err = ends.err(task)
  if err then
    err = raised.crossing(err)
    errors.known[err] = nil
    err.spawned_at, err.spawned_by = nil, nil
    err.task_id, err.name = nil, nil -- the script's error, not a worker's
    err.where = err.where or frames.where()
    return error(err, 0)
  end
  return line.newest
end

-- The object --------------------------------------------------------------------------------------

local App = opaque.kind("script", {
  main = "run",
  start = "spawn",
  invoke = "call",
})

local function generation_of(object, call)
  local generation = opaque.record(App, object, "app:" .. call .. "(...)").generation
  return generation, cancelling.enter()
end

---In whose place a name is looked for: the script's, or the spec file's where the script has none.
local function place_of(generation, me, name)
  local own = generation.line.names
  if type(name) == "string" and not own[name] and me.task.def.names[name] then
    return me.task.def
  end
  return { names = own, generation = generation }
end

---app:spawn(name, input?, opts?) → handle
function App.methods.spawn(object, name, input, opts)
  local generation, me = generation_of(object, "spawn")
  local from, taken = place_of(generation, me, name), take_site(FORMAT, LEVELS)
  return (spawning.named(me.scope, me, name, input, opts, taken, from))
end

---app:call(name, input?, opts?), as swarm.call
function App.methods.call(object, name, input, opts)
  local generation, me = generation_of(object, "call")
  local from, taken = place_of(generation, me, name), take_site(FORMAT, LEVELS)
  return join.result((spawning.named(me.scope, me, name, input, opts, taken, from)))
end

local function check_args(args)
  if args == nil then
    return {}
  elseif type(args) ~= "table" then
    return arguments.wrong("app:run takes a list of strings", args)
  end
  local copy, count = {}, 0
  for _ in pairs(args) do
    count = count + 1
  end
  for i = 1, count do
    if type(args[i]) ~= "string" then
      local got = "; item " .. i .. " is " .. shown.value(args[i])
      return errors.throw(
        "invalid_argument",
        "app:run takes a list of strings, as a command line gives them" .. got
      )
    end
    copy[i] = args[i]
  end
  return copy
end

---app:run(args?, input?): runs main, and returns as swarm.result does.
function App.methods.run(object, args, input)
  local generation, me = generation_of(object, "run")
  local main = generation.main
  args = check_args(args)
  if not main then
    return errors.throw("load_error", generation.files[1] .. " has no main to run")
  end
  local face = generation.face
  face.args, face.input = values.copy(args, "args"), values.copy(input, "input")
  local from = { names = { main = main }, generation = generation }
  local taken = take_site(FORMAT, LEVELS)
  local handle, task = spawning.named(me.scope, me, "main", input, nil, taken, from)
  records.extra(task).args = args
  return join.result(handle)
end

---swarm.script for a spec file.
---@param generation table the spec file's
function app.face(generation)
  return function(path)
    if type(path) ~= "string" or path == "" then
      return arguments.wrong("swarm.script takes a script's path", path)
    end
    if path:sub(1, 1) ~= "/" then
      path = generation.script_dir .. path
    end
    local spec = generation.line.script
    local record = { generation = load_apart(path, path:match "^(.*/)" or "", spec) }
    local object = opaque.seal(App, record, nil)
    record.text = "script " .. path
    return object
  end
end

return app
