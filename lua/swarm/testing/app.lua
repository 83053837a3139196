-- swarm.script, in spec files: the script under test. It is loaded in a line of generations of its
-- own, as a run would load it: names in it mean its own workers, and the spec reaches them by the
-- object that it gets.
local cancelling = require "swarm.scope.cancel"
local errors = require "swarm.ground.errors"
local generations = require "swarm.script.line"
local joining = require "swarm.worker.join"
local names = require "swarm.ground.spelling"
local opaque = require "swarm.ground.opaque"
local records = require "swarm.scheduler.record"
local S = require "swarm.scheduler.scheduler"
local site = require "swarm.ground.site"
local spawning = require "swarm.worker.spawn"
local values = require "swarm.values.values"
local waiting = require "swarm.scope.waiting"

local take_site, FORMAT, LEVELS = site.take, site.FORMAT, site.LEVELS
local type = type

local script = {
  run = nil, -- kernel: what scripts read of the run
  lines = {}, -- in the order of loading
}

-- Loading -----------------------------------------------------------------------------------------

---Loads a script as a run would, by a worker of its own, and waits for it: also while the spec file
---itself loads, when nothing else may be waited for.
---@return table generation
local function load_apart(path, folder)
  local me, run = S.current, script.run
  local line = generations.new_line {
    path = path,
    folder = folder,
    run = { args = {}, input = nil, run_id = run.run_id, version = run.version },
  }
  script.lines[#script.lines + 1] = line
  local task = generations.start(line)
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
  local err = records.err(task)
  if err then
    err.spawned_at, err.spawned_by = nil, nil
    err.task_id, err.agent = nil, nil -- the script's error, not a worker's
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

local function generation_of(app, call)
  local generation = opaque.record(App, app, "app:" .. call .. "(...)").generation
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
function App.methods.spawn(app, name, input, opts)
  local generation, me = generation_of(app, "spawn")
  local from, taken = place_of(generation, me, name), take_site(FORMAT, LEVELS)
  return (spawning.named(me.scope, me, name, input, opts, taken, from))
end

---app:call(name, input?, opts?), as swarm.call
function App.methods.call(app, name, input, opts)
  local generation, me = generation_of(app, "call")
  local from, taken = place_of(generation, me, name), take_site(FORMAT, LEVELS)
  return joining.result((spawning.named(me.scope, me, name, input, opts, taken, from)))
end

local function check_args(args)
  if args == nil then
    return {}
  elseif type(args) ~= "table" then
    local got = names.show(args)
    return errors.throw("invalid_argument", "app:run takes a list of strings, and got " .. got)
  end
  local copy, count = {}, 0
  for _ in pairs(args) do
    count = count + 1
  end
  for i = 1, count do
    if type(args[i]) ~= "string" then
      local got = "; item " .. i .. " is " .. names.show(args[i])
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
function App.methods.run(app, args, input)
  local generation, me = generation_of(app, "run")
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
  return joining.result(handle)
end

---swarm.script for a spec file.
---@param script_dir string the spec file's folder, with a slash at its end, or ""
function script.face(script_dir)
  return function(path)
    if type(path) ~= "string" or path == "" then
      local got = names.show(path)
      return errors.throw("invalid_argument", "swarm.script takes a script's path, and got " .. got)
    end
    if path:sub(1, 1) ~= "/" then
      path = script_dir .. path
    end
    local generation = load_apart(path, path:match "^(.*/)" or "")
    local record = { generation = generation }
    local app = opaque.seal(App, record, nil)
    record.text = "script " .. path
    return app
  end
end

return script
