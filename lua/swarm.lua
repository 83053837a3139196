-- require "swarm": the public face of a generation. Nothing but names handed on.
local approvals = require "swarm.people.approvals"
local ask = require "swarm.outside.ask"
local blocks = require "swarm.structure.blocks"
local channel = require "swarm.sharing.channel"
local clock = require "swarm.ground.clock"
local closed = require "swarm.ground.closed"
local data = require "swarm.sharing.data"
local dispatching = require "swarm.structure.dispatching"
local draining = require "swarm.script.draining"
local each = require "swarm.structure.each"
local env = require "swarm.outside.env"
local event = require "swarm.sharing.event"
local exec = require "swarm.outside.process.exec"
local fs = require "swarm.outside.fs"
local gather = require "swarm.structure.gather"
local graph = require "swarm.structure.graph"
local held_open = require "swarm.structure.held_open"
local http = require "swarm.outside.http"
local inspect = require "swarm.values.inspect"
local join = require "swarm.worker.join"
local json = require "swarm.values.json"
local kept = require "swarm.structure.kept"
local lines = require "swarm.script.line"
local lock = require "swarm.sharing.lock"
local log = require "swarm.events.log"
local loop = require "swarm.structure.loop"
local pauses = require "swarm.structure.pauses"
local pools = require "swarm.script.pools"
local port = require "swarm.outside.port"
local read = require "swarm.worker.output.read"
local registry = require "swarm.script.registry"
local result = require "swarm.worker.result"
local secret = require "swarm.outside.secret"
local semaphore = require "swarm.sharing.semaphore"
local spawning = require "swarm.worker.spawn"
local sources = require "swarm.outside.sources"
local sessions = require "swarm.script.sessions"
local state = require "swarm.script.state"
local subscription = require "swarm.sharing.subscription"
local supervise = require "swarm.structure.supervise.calls"
local temporary = require "swarm.outside.temporary"
local tokens = require "swarm.outside.tokens"
local tracing = require "swarm.worker.output.trace"
local values = require "swarm.values.values"
local verdicts = require "swarm.people.verdicts"

-- swarm.fs: what asks the port, and what is a block besides.
local files = { temp_dir = temporary.in_blocks(blocks.scope, blocks.shielded) }
for name, call in pairs(fs) do
  files[name] = call
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
    join = join.join,
    cancel = join.cancel,
    mark = verdicts.face_mark,
    override = verdicts.face_override,
    ask = ask.ask,
    answer = ask.answer,
    pending = ask.pending,
    approvals = approvals.face,
    retry = dispatching.retry,
    attach = sessions.attach,
    pause = loop.pause,
    unpause = loop.unpause,
    direct = loop.direct,
    subscribe = subscription.subscribe,
    trace = tracing.trace,
    result = join.result,
    call = join.call,
    output_tail = read.output_tail,
    follow = read.follow,
    open = held_open.open,
    blocked = result.blocked,

    all = gather.all,
    map = gather.map,
    any = gather.any,
    race = gather.race,
    settle = gather.settle,
    each = each,
    graph = graph.graph,
    scope = blocks.scope,
    supervise = supervise.supervise,
    timeout = blocks.timeout,
    shield = blocks.shield,
    sleep = pauses.sleep,
    yield = pauses.yield,
    checkpoint = pauses.checkpoint,
    channel = channel.new,
    semaphore = semaphore.new,
    unpark = pools.unpark,
    event = event.new,
    lock = lock.new,
    now = kept.now,
    recorded = kept.recorded,
    monotonic = clock.monotonic,

    worker = definer "worker",
    role = definer "role",
    layer = definer "layer",
    command = definer "command",
    agent = definer "agent",
    pool = definer "pool",
    before = hooker "before",
    after = hooker "after",
    around = hooker "around",
    settled = hooker "settled",
    use = function(name, options)
      return registry.use(generation, name, options)
    end,
    spawn_hook = function(fields)
      return registry.spawn_hook(generation, fields)
    end,
    generation = function()
      return generation.line.newest.number
    end,
    generations = function()
      return draining.generations(generation.line)
    end,
    state = function(name, init)
      return state.get(generation, name, init)
    end,
    on_reload = function(fn)
      return lines.hook(generation, "on_reload", fn)
    end,
    on_dispose = function(fn)
      return lines.hook(generation, "on_dispose", fn)
    end,
    watch_file = sources.watch_file,
    operator = function(id, fn)
      return registry.operator(generation, id, fn)
    end,
    main = function(fn)
      return registry.main(generation, fn, run.args)
    end,

    inspect = inspect,
    null = values.null,
    array = values.array,
    object = values.object,
    file = values.file,
    json = closed.table(json.face, "swarm.json."),
    fs = closed.table(files, "swarm.fs."),
    http = closed.table(http, "swarm.http."),
    data = data.get,
    set_data = data.set,
    log = closed.table(log.face, "swarm.log."),
    env = env,
    exec = exec,
    port = port.call,
    secret = secret.new,
    token = closed.table(tokens.face, "swarm.token."),
    random = kept.random,
    uuid = kept.uuid,

    args = values.copy(run.args, "args"), -- what one loading changes, no other sees
    input = values.copy(run.input, "input"),
    run_id = run.run_id,
    version = run.version,
    script_dir = run.script_dir,
  }
  generation.face = face
  local function set_operator_kind(kind)
    registry.operator_kind(generation, kind)
    face.operator_kind = generation.operator_kind
  end
  local optional = { input = true, operator_kind = true }
  return closed.table(face, "swarm.", optional, { operator_kind = set_operator_kind })
end
