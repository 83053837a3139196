-- require "swarm": the public face. Nothing but names handed on.
local blocks = require "swarm.structure.blocks"
local bridge = require "swarm.outside.bridge"
local channel = require "swarm.sharing.channel"
local clock = require "swarm.ground.clock"
local data = require "swarm.sharing.data"
local draining = require "swarm.script.draining"
local each = require "swarm.structure.each"
local errors = require "swarm.ground.errors"
local event = require "swarm.sharing.event"
local exec = require "swarm.outside.process.exec"
local fs = require "swarm.outside.fs"
local gate = require "swarm.rights.gate"
local gather = require "swarm.structure.gather"
local generations = require "swarm.script.line"
local held_open = require "swarm.structure.held_open"
local http = require "swarm.outside.http"
local joining = require "swarm.worker.join"
local json = require "swarm.values.json"
local lock = require "swarm.sharing.lock"
local log = require "swarm.events.log"
local names = require "swarm.ground.spelling"
local pauses = require "swarm.structure.pauses"
local reading = require "swarm.worker.output.read"
local port = require "swarm.outside.port"
local random = require "swarm.ground.random"
local registry = require "swarm.script.registry"
local results = require "swarm.worker.result"
local secret = require "swarm.outside.secret"
local S = require "swarm.scheduler.scheduler"
local semaphore = require "swarm.sharing.semaphore"
local spawning = require "swarm.worker.spawn"
local supervisors = require "swarm.structure.supervise.calls"
local values = require "swarm.values.values"
local watched = require "swarm.outside.sources"

local function blocked(value, reason)
  return value,
    results.blocked_error(value, results.reason(reason == nil and "no reason given" or reason))
end

local function env(name)
  if type(name) ~= "string" then
    return errors.throw(
      "invalid_argument",
      "swarm.env takes the name of a variable, and got " .. names.show(name)
    )
  end
  local _, value = bridge.request("env", { name = name }, nil, { verb = "read_env" })
  return value
end

---A table that scripts can read and not write, and that says so where a name does not exist.
---@param optional table? names that may be nil
local function closed_table(members, prefix, optional)
  setmetatable(members, {
    __index = function(_, key)
      if optional and optional[key] then
        return nil
      end
      return errors.throw(
        "unknown_name",
        prefix .. tostring(key) .. " does not exist" .. names.hint(key, members, prefix),
        { name = tostring(key) }
      )
    end,
  })
  return setmetatable({}, {
    __index = members,
    __newindex = function(_, key)
      return errors.throw(
        "unknown_name",
        prefix .. tostring(key) .. " cannot be set: it belongs to the host"
      )
    end,
    __metatable = prefix:sub(1, -2),
  })
end

local function encode(value)
  return (json.encode(value, "value"))
end

---The face of one generation.
---@param generation table
---@param run table { args, input, run_id, version, script_dir }
return function(generation, run)
  local function definer(what)
    return function(name, ...)
      return registry.define(generation, what, name, ...)
    end
  end
  local function hooker(kind)
    return function(select, fn)
      return registry.hook(generation, kind, select, fn)
    end
  end
  local face = {
    spawn = spawning.spawn,
    join = joining.join,
    cancel = joining.cancel,
    mark = joining.mark,
    result = joining.result,
    call = joining.call,
    output_tail = reading.output_tail,
    follow = reading.follow,
    open = held_open.open,
    blocked = blocked,

    all = gather.all,
    map = gather.map,
    any = gather.any,
    race = gather.race,
    settle = gather.settle,
    each = each,
    scope = blocks.scope,
    supervise = supervisors.supervise,
    timeout = blocks.timeout,
    shield = blocks.shield,
    sleep = pauses.sleep,
    yield = pauses.yield,
    checkpoint = pauses.checkpoint,
    channel = channel.new,
    semaphore = semaphore.new,
    event = event.new,
    lock = lock.new,
    now = clock.wall,
    monotonic = clock.monotonic,

    worker = definer "worker",
    role = definer "role",
    layer = definer "layer",
    command = definer "command",
    before = hooker "before",
    after = hooker "after",
    around = hooker "around",
    settled = hooker "settled",
    use = function(name, options)
      return registry.use(generation, name, options)
    end,
    generation = function()
      return generation.line.newest.number
    end,
    generations = function()
      gate.check(S.current, "read_task_state")
      return draining.list(generation.line)
    end,
    state = function(name, init)
      return generations.state(generation.line, name, init)
    end,
    on_reload = function(fn)
      return generations.hook(generation, "on_reload", fn)
    end,
    on_dispose = function(fn)
      return generations.hook(generation, "on_dispose", fn)
    end,
    watch_file = watched.watch_file,
    main = function(fn)
      return registry.main(generation, fn, run.args)
    end,

    null = values.null,
    array = values.array,
    object = values.object,
    file = values.file,
    json = closed_table({ encode = encode, decode = json.decode }, "swarm.json."),
    fs = closed_table(fs, "swarm.fs."),
    http = closed_table(http, "swarm.http."),
    data = data.get,
    set_data = data.set,
    log = closed_table(log.face, "swarm.log."),
    env = env,
    exec = exec,
    port = port.call,
    secret = secret.new,
    random = random.random,
    uuid = random.uuid,

    args = values.copy(run.args, "args"), -- what one loading changes, no other sees
    input = values.copy(run.input, "input"),
    run_id = run.run_id,
    version = run.version,
    script_dir = run.script_dir,
  }
  names.face, generation.face = face, face
  return closed_table(face, "swarm.", { input = true })
end
