-- What the host calls: boot, one tick, and the few things that cross. Everything that crosses is a
-- string of bytes, a number or a boolean, and nothing here raises towards the host.
local Settle = require "swarm.settle"
local bridge = require "swarm.bridge"
local clock = require "swarm.clock"
local errors = require "swarm.errors"
local events = require "swarm.events"
local gate = require "swarm.gate"
local generations = require "swarm.generations"
local handles = require "swarm.handle"
local holder = require "swarm.holder"
local json = require "swarm.json"
local log = require "swarm.log"
local make_face = require "swarm"
local modules = require "swarm.modules"
local opaque = require "swarm.opaque"
local output = require "swarm.output"
local random = require "swarm.random"
local registry = require "swarm.registry"
local S = require "swarm.scheduler"
local Scope = require "swarm.scope"
local values = require "swarm.values"
local watched = require "swarm.watched"
local W = require "swarm.worker"
local cancel_token = require "swarm.cancel_token"
local root = Scope.root

values.keep(errors.metatable) -- a worker may return what went wrong as a part of its result

values.register_opaque(function(value)
  return handles.is(value) and "worker handle"
    or cancel_token.is(value) and "cancel token"
    or opaque.name_of(value)
end)

function json.stand_in(value)
  if handles.is(value) then
    return "T-" .. debug.getmetatable(value).id
  end
  return (cancel_token.is(value) or opaque.name_of(value)) and tostring(value) or nil
end

local kernel = {}

---JSON text for Python; bytes that are not UTF-8 are replaced.
local function text_of(value)
  return (json.encode(value, "value", true))
end

local config_of_run -- what Host gave
local run = { args = {}, input = nil } -- what scripts read of the run
local held = {} -- id → record: what Python waits for
local settled, settled_n = {}, 0 -- ids that have settled since the last take
local run_deadline -- main's record, where the run has a deadline: that timer wakes nobody
local run_error -- a deadlock: fails the run whatever main made of it
local closed_world = false -- nobody outside can spawn or cancel: silence is a deadlock

function Settle.on_settled(w)
  settled_n = settled_n + 1
  settled[settled_n] = w.id
end

---@param config string JSON of what Host gives: args, input, run_id, version and the switches
---@param flush function flush(out, lines): takes what a flood has gathered within a tick
function kernel.boot(config, flush)
  config = json.decode(config)
  config_of_run = config
  run.args = config.args
  run.input = config.input
  run.run_id, run.version = config.run_id, config.version
  modules.trust, modules.lua_path = config.trust, config.lua_path
  errors.all_frames = config.debug
  events.on = config.events
  closed_world = config.closed_world
  if config.seed then
    random.seed(config.seed)
  end
  if config.virtual then
    clock.virtual = 0
  end
  if config.eager then
    log.flush_at = 0
  end
  log.flush = function()
    flush(log.take())
  end
end

kernel.holder_address = holder.address

-- Loading -----------------------------------------------------------------------------------------

local line -- of the run's script
local spec -- swarm/spec.lua, where the script is a spec file

---What only specs need: it is not loaded for others.
local function for_specs()
  local mock, script = require "swarm.mock", require "swarm.script"
  spec = require "swarm.spec"
  registry.around_run = mock.around_run
  mock.ports, script.run = config_of_run.ports, run
  return spec
end
generations.make_face = make_face

local function hold(w)
  held[w.id] = w
  return w.id
end

---Starts loading a script as a worker of its own; it becomes the newest generation.
---@param path string
---@param folder string the script's, with its slash
---@return number id of the loading worker
function kernel.load(path, folder)
  line = generations.new_line {
    path = path,
    folder = folder,
    run = run,
    prepare = config_of_run.spec and for_specs().prepare or nil,
  }
  return hold(generations.start(line))
end

---Starts loading the script anew; it takes over where all is well. The worker's result says what
---changed.
---@param dry boolean only say what would change
---@return number id of the loading worker
function kernel.reload(dry)
  return hold(generations.start(line, dry))
end

---What to watch, as JSON: files, folders, and files that were looked for and are missing.
function kernel.watched()
  line.watch_changed = false
  return text_of(watched.of(line, spec and require("swarm.script").lines))
end

---The generations that are alive, as JSON.
function kernel.generations()
  return text_of(generations.list(line))
end

---Cancels what is alive of the generations before `number`, save for main.
function kernel.cancel_generations_before(number, reason)
  generations.cancel_before(line, number, reason)
end

---The run is over: on_dispose functions run.
---@return boolean whether there are any
function kernel.dispose()
  local any = line ~= nil and generations.dispose_all(line)
  for _, of in ipairs(spec and require("swarm.script").lines or {}) do
    any = generations.dispose_all(of) or any
  end
  return any
end

---What was defined, as JSON.
function kernel.describe()
  return text_of(registry.describe(line.newest))
end

---The verbs and who has them, as JSON, for spec/roles.md.
function kernel.verbs()
  local verbs = {}
  for verb, about in pairs(gate.VERBS) do
    local roles = {}
    for name, rights in pairs(gate.ROLES) do
      roles[name] = rights[verb] or nil
    end
    local calls, bound, later = about[2], about.bound, about.later
    verbs[verb] = { group = about[1], calls = calls, bound = bound, later = later, roles = roles }
  end
  return text_of(verbs)
end

-- Specs -------------------------------------------------------------------------------------------

function kernel.specs()
  return text_of(values.array(spec.list()))
end

---Spawns the worker of one `it`.
---@return number id
function kernel.spawn_spec(name)
  local def = registry.internal(line.newest, name)
  return hold(W.spawn_root(def, spec.runner(name)))
end

-- Workers for Python ------------------------------------------------------------------------------

---Runs a host call; an error becomes (false, JSON of the error).
local function guard(fn, ...)
  local ok, a, b, c = pcall(fn, ...)
  if ok then
    return true, a, b, c
  end
  local err = errors.is(a) and a or errors.from_raised(a)
  return false, text_of(errors.plain(err))
end

---@return boolean ok, number|string id or error
function kernel.spawn_main(timeout)
  return guard(function()
    local definition = line.newest.main
    if not definition then
      return errors.throw(
        "load_error",
        line.newest.files[1] .. " has no main: add swarm.main(function(args, ctx) ... end)"
      )
    end
    -- What failed a run before this one in the same host is no matter of this one.
    run_error, Settle.run_errors = nil, {}
    Scope.forget_failed(root)
    local w = W.spawn_root(definition, definition.run, run.input, timeout)
    run_deadline = w.deadline and w
    return hold(w)
  end)
end

---@return boolean ok, number|string id or error
function kernel.spawn(name, input, timeout)
  return guard(function()
    local def = W.resolve(name, line.newest)
    return hold(W.spawn_root(def, def.run, input and json.decode(input), timeout))
  end)
end

---@return boolean live
function kernel.cancel(id, reason)
  local w = held[id]
  if not w or handles.final[w.status] then
    return false
  end
  if w.cancel and w.cancel ~= Scope.LOADING then
    Scope.no_retry(w)
  else
    Scope.cancel(w, { kind = "cancel", reason = reason, scope = w })
  end
  return true
end

---Cancels everything that is alive.
function kernel.cancel_all(reason)
  Scope.cancel_children(root, { kind = "cancel", reason = reason, scope = root })
  local child = root.first_child
  while child do
    local following = child.sib_next
    if child.cancel == Scope.LOADING then
      Scope.cancel(child, { kind = "cancel", reason = reason, scope = root })
    end
    child = following
  end
end

---A settled worker for Python: its status, its value (a string as bytes, else JSON) and its error.
---@return string status, boolean is_text, string? value, string? error as JSON
function kernel.outcome(id)
  local w = held[id]
  local status, err = w.status, w.err
  local value = w.value
  local is_text = type(value) == "string"
  if value ~= nil and not is_text then
    local ok, text = pcall(json.encode, value, "result")
    if ok then
      value = text
    else
      status, value, err = "failed", nil, text
      err.where = err.where or handles.home(w)
    end
  end
  return status, is_text, value, err and text_of(errors.plain(err)) or nil
end

---@return string JSON list of events
function kernel.tail(id, since)
  return text_of(values.array(output.snapshot(held[id], since)))
end

function kernel.status(id)
  return held[id].status
end

---Python no longer needs to know of this worker.
function kernel.release(id)
  held[id] = nil
end

---The ids that have settled since the last call.
function kernel.take_settled()
  local n = settled_n
  settled_n = 0
  return unpack(settled, 1, n)
end

-- The run's end -----------------------------------------------------------------------------------

---Ends the run once main has settled: what is detached is waited for, or cancelled where main
---did not run to completion.
---@param id number the worker whose end is the run's
---@return boolean over
function kernel.finishing(id)
  local main = held[id]
  if main.status ~= "pass" and main.status ~= "blocked" and root.first_child then
    Scope.cancel_children(
      root,
      { kind = "parent", reason = "the run is over: main " .. main.status, scope = root }
    )
  end
  return root.first_child == nil
end

---What the run as a whole adds to main's own end: a deadlock, or detached failures nobody took.
---@return string? error as JSON
function kernel.run_error()
  local err = run_error
  if not err then
    local unowned = Scope.unowned(root)
    err = unowned and Scope.children_failed(unowned) or Settle.run_errors[1]
  end
  return err and text_of(errors.plain(err)) or nil
end

-- Deadlock by silence -----------------------------------------------------------------------------

local function what_it_waits_for(w)
  local waiting = w.waiting
  if waiting == nil then
    return "nothing known"
  elseif waiting.id and waiting.status then
    return "worker " .. handles.label(waiting) .. " (T-" .. waiting.id .. ")"
  end
  return waiting.describe and waiting.describe(waiting) or waiting.what
end

local DEADLOCK_SHOWN = 20

---Who waits for what, in the order of spawning; and how many more there are.
local function all_waiting()
  local waiting, more = {}, 0
  Scope.each_live(root, function(w)
    if #waiting < DEADLOCK_SHOWN then
      waiting[#waiting + 1] = {
        agent = w.def.name or handles.label(w),
        task_id = "T-" .. w.id,
        waits_for = what_it_waits_for(w),
        where = w.co and (errors.where(w.co) or handles.home(w)) or "(not begun)",
      }
    else
      more = more + 1
    end
  end)
  table.sort(waiting, function(a, b)
    return tonumber(a.task_id:sub(3)) < tonumber(b.task_id:sub(3))
  end)
  return waiting, more
end

---Who waits for what, as JSON: for whoever must say why nothing comes to an end.
function kernel.waiting()
  return text_of(values.array((all_waiting())))
end

---Every live worker waits, and nothing outside can wake one: cancels the run.
local function deadlock()
  local waiting, more = all_waiting()
  local lines = {}
  for i = 1, #waiting do
    local one = waiting[i]
    lines[i] = "  "
      .. one.task_id
      .. " "
      .. one.agent
      .. " at "
      .. one.where
      .. " waits for "
      .. one.waits_for
  end
  if more > 0 then
    lines[#lines + 1] = "  and " .. more .. " more"
  end
  run_error = errors.new(
    "deadlock",
    "deadlock: every worker waits, and nothing can wake one\n" .. table.concat(lines, "\n"),
    { waiting = waiting }
  )
  Scope.cancel_children(root, { kind = "deadlock", reason = "deadlock", scope = root })
end

-- Ticks -------------------------------------------------------------------------------------------

---One tick. Where nobody is ready: under a virtual clock it jumps to the next timer; in a closed
---world without timers and requests it is a deadlock.
---@param slice number seconds
---@return boolean more, number? wait, boolean requests, boolean says, boolean settles
---@return boolean watches there is more to watch than was asked for
function kernel.step(slice)
  local more = S.step(slice)
  local wait
  if not more then
    local deadline = S.next_deadline()
    if bridge.outstanding == 0 and root.first_child then
      if clock.virtual and deadline then
        clock.virtual = deadline
        more = true
      elseif
        closed_world
        and not S.has_timers(run_deadline and run_deadline.deadline)
        and not run_error
      then
        deadlock()
        more = true
      end
    end
    if deadline then
      wait = deadline - clock.monotonic()
    end
  end
  local says = log.waits() or events.waits()
  return more, wait, bridge.waits(), says, settled_n > 0, line ~= nil and line.watch_changed
end

---Requests as a flat list of id, port, payload, data; and the ids to cancel.
function kernel.take_request()
  return bridge.take_request()
end

function kernel.take_cancels()
  return unpack(bridge.take_cancels())
end

kernel.deliver = bridge.deliver
kernel.emit = bridge.emit

---@return string out, string lines of log, string lines of events
function kernel.take_said()
  local out, lines = log.take()
  return out, lines, events.take()
end

---@return number live, number running, and how many ended pass, blocked, failed, cancelled, timeout
function kernel.counts()
  local c = Settle.counts
  return c.live, c.running, c.pass, c.blocked, c.failed, c.cancelled, c.timeout
end

---@return number kilobytes of Lua memory
function kernel.memory()
  return collectgarbage "count"
end

return kernel
