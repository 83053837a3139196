-- Middleware: what stands around a worker's run, composed once a generation into one function that
-- runs in the worker's own coroutine. A worker without any keeps its bare run.
--
--   settled  <-  around > before > [ use, layers: the same again > [ run ] > after ] > after > ...
--
-- From the inside out: the worker, `use`, `layers`, then hooks as registered. So of two `before`
-- the last registered runs first, of two `after` the first.
local blocks = require "swarm.structure.blocks"
local clock = require "swarm.ground.clock"
local errors = require "swarm.ground.errors"
local events = require "swarm.events.run"
local frames = require "swarm.ground.frames"
local gate = require "swarm.rights.gate"
local handles = require "swarm.worker.handle"
local log = require "swarm.events.log"
local output = require "swarm.worker.output.say"
local raised = require "swarm.ground.raised"
local S = require "swarm.scheduler.scheduler"
local Scope = require "swarm.scope.scope"
local Settle = require "swarm.worker.settle"
local shown = require "swarm.ground.shown"
local values = require "swarm.values.values"

local debug_getmetatable, xpcall, error = debug.getmetatable, xpcall, error
local type, pairs, select = type, pairs, select
local find, format, sub = string.find, string.format, string.sub
local copy, passing = values.copy, frames.passing

local middleware = {}

local SETTLED_SECONDS = 5

-- Results -----------------------------------------------------------------------------------------

local RESULT_FIELDS = { value = true, ok = true, reason = true }

---What a hook sees of a result: its own copy.
local function result_of(value, reason)
  if type(value) == "table" then
    value = copy(value, "result.value")
  end
  return { value = value, ok = reason == nil, reason = reason and reason.text }
end

---A copy of a value that a hook made; one that cannot cross is the hook's fault.
local function copy_from(hook, value, path)
  local ok, copied = xpcall(copy, raised.from_raised, value, path)
  if not ok then
    copied.message = hook.what .. " returned what cannot be used: " .. copied.message
    copied.where = hook.where
    return error(copied, 0)
  end
  return copied
end

---What a hook returned, as a value and a reason; raises for nonsense.
local function read_result(result, hook)
  if type(result) ~= "table" then
    return errors.throw(
      "invalid_value",
      hook.what
        .. " must return a result { value, ok, reason }, and returned "
        .. shown.value(result),
      { path = "result", where = hook.where }
    )
  end
  for key in pairs(result) do
    if not RESULT_FIELDS[key] then
      return errors.throw(
        "invalid_value",
        hook.what
          .. " returned a result with the field "
          .. shown.value(key)
          .. "; a result has value, ok and reason",
        { path = "result", where = hook.where }
      )
    end
  end
  local ok, why = result.ok, result.reason
  if ok ~= nil and type(ok) ~= "boolean" or why ~= nil and type(why) ~= "string" then
    local field, kind, got = "ok", "boolean", ok
    if ok == nil or type(ok) == "boolean" then
      field, kind, got = "reason", "string", why
    end
    return errors.throw(
      "invalid_value",
      hook.what
        .. format(" returned a result whose %s is no %s: %s", field, kind, shown.value(got)),
      { path = "result." .. field, where = hook.where }
    )
  end
  local value, reason = copy_from(hook, result.value, "result.value"), nil
  if ok == false or (ok == nil and why ~= nil) then
    reason = Settle.reason(why or "no reason given")
  end
  return value, reason
end

-- The layers of a pipeline ------------------------------------------------------------------------

---Waits for the children of a worker that has come to a point where none may be left: cancelled
---first where it failed. What failed unowned is raised, or goes with the error.
local function settle_children(w, ok, err)
  local cause = w.cancel
  local ring = ok and not cause and w.first_child and Scope.ring(w, w)
  if ring then
    ok, err = false, ring
  end
  if not ok and not cause then
    cause = { kind = "parent", reason = "its parent failed", scope = w }
  end
  if cause then
    Scope.cancel_children(w, cause)
  end
  Scope.wait_children(w, w)
  local unowned = Scope.unowned(w)
  Scope.forget_failed(w)
  if not ok then
    return error(Scope.with_others(err, unowned), 0)
  elseif unowned then
    return error(Scope.children_failed(unowned), 0)
  end
end

---The innermost: the worker's own run, its children, and its final.
local function core(run)
  return function(ctx, input)
    local w = debug_getmetatable(ctx)
    local value, reason
    w.input = input
    if w.scope ~= w or w.first_child then
      -- A hook's block, or its children: they are not the run's to wait for.
      value, reason = blocks.apart("the run", run, ctx, input)
    else
      local ok
      ok, value, reason = xpcall(run, passing, ctx, input)
      w.scope = w
      if not ok or w.first_child or w.failed then
        settle_children(w, ok, value)
      end
    end
    if w.scope.cancel then
      Scope.raise(w)
    end
    if (value ~= nil or reason ~= nil) and w.rights.post_result ~= true then
      gate.check(w, "post_result")
    end
    value = copy(value, "result")
    return output.final(w, value, reason ~= nil and Settle.reason(reason) or nil)
  end
end

local function with_before(inner, hook)
  local fn, rights = hook.fn, hook.rights
  return function(ctx, input)
    local w = debug_getmetatable(ctx)
    local own = w.rights
    w.rights = rights
    local ok, replaced = xpcall(fn, passing, ctx, input)
    w.rights = own
    if not ok then
      if w.cancel then
        return error(replaced, 0)
      end
      local refusal = raised.from_raised(replaced)
      if events.on then
        events.publish("refused", w, { by = hook.what })
      end
      local place, why = (refusal.where or "") .. ": ", refusal.message
      if sub(why, 1, #place) == place then
        why = sub(why, #place + 1) -- the place comes first already
      end
      return errors.throw("rejected_by_middleware", hook.what .. " refused: " .. why, {
        reason = refusal.message,
        where = refusal.where,
        traceback = refusal.traceback,
      })
    end
    if replaced ~= nil then
      input = copy_from(hook, replaced, "input")
    end
    return inner(ctx, input)
  end
end

local function with_after(inner, hook)
  local fn, rights = hook.fn, hook.rights
  return function(ctx, input)
    local value, reason = inner(ctx, input)
    local w = debug_getmetatable(ctx)
    local own = w.rights
    w.rights = rights
    local result = fn(ctx, result_of(value, reason))
    w.rights = own
    if result == nil then
      return value, reason
    end
    return read_result(result, hook)
  end
end

local function with_around(inner, hook)
  local fn, rights = hook.fn, hook.rights
  return function(ctx, input)
    local w = debug_getmetatable(ctx)
    local own = w.rights
    local runs, inside = true, false
    local function following(...)
      if not runs then
        return errors.throw("invalid_argument", "next was kept beyond its hook: " .. hook.what)
      elseif S.current ~= w then
        return errors.throw("invalid_argument", "next was called by another worker: " .. hook.what)
      elseif inside then
        return errors.throw("invalid_argument", "next was called within itself: " .. hook.what)
      end
      local given = input
      if select("#", ...) > 0 then
        given = copy((...), "input")
      end
      w.rights, inside = own, true
      local ok, value, reason = xpcall(inner, passing, ctx, given)
      w.rights, inside = rights, false
      if not ok then
        return error(value, 0)
      end
      return result_of(value, reason)
    end
    w.rights = rights
    local ok, result = xpcall(fn, passing, ctx, following)
    w.rights = own
    runs = false
    if not ok then
      return error(result, 0)
    end
    return read_result(result, hook)
  end
end

---The outermost: the children of hooks, and whether the result is still the one that the tail has.
local function outermost(inner)
  return function(ctx, input)
    local w = debug_getmetatable(ctx)
    local ok, value, reason = xpcall(inner, passing, ctx, input)
    if not ok then
      output.flush(w)
      return error(value, 0)
    end
    if w.first_child or w.failed then
      settle_children(w, true)
      if w.cancel then
        Scope.raise(w)
      end
    end
    return output.changed(w, value, reason)
  end
end

local WRAP = { before = with_before, after = with_after, around = with_around }

-- settled hooks -----------------------------------------------------------------------------------

---Runs the settled hooks of a worker that is about to settle; a hook's error fails the run.
function middleware.settled(w, status, value, err)
  local hooks, extra = w.def.settled, w.extra or {}
  w.extra, extra.ending = extra, true -- a cancel comes too late from here on
  w.scope = w
  for i = 1, #hooks do
    local hook = hooks[i]
    local outcome = { status = status, err = err, started = extra.started, ended = clock.wall() }
    if value ~= nil then
      outcome.value = copy(value, "result")
    end
    w.rights = hook.rights
    local ok, problem = xpcall(blocks.shielded, passing, hook.what, SETTLED_SECONDS, function()
      hook.fn(w.handle, outcome)
    end)
    if not ok then
      problem = raised.from_raised(problem)
      local headline = errors.headline(problem)
      if not find(headline, hook.what, 1, true) then
        headline = hook.what .. " failed: " .. headline
      end
      log.entry("error", headline, nil, w)
      Settle.fail_run(problem)
    end
  end
end
Settle.run_settled_hooks = middleware.settled

-- Composition -------------------------------------------------------------------------------------

---The hooks of a layer that a worker asked for or `use` put on it, as hooks of its own.
local function layer_hooks(generation, entry, list)
  local layer = generation.layers[entry.name]
  local fields = layer.fields
  for _, kind in pairs { "before", "after", "around", "settled", "event" } do
    local fn = fields[kind]
    if fn then
      local options = entry.options
      list[#list + 1] = {
        kind = kind,
        fn = options and function(ctx, x)
          return fn(ctx, x, options)
        end or fn,
        rights = layer.rights,
        what = "layer " .. shown.value(entry.name) .. " (" .. kind .. ")",
        where = layer.where,
      }
    end
  end
end

---All that stands around a definition, from the inside out.
local function hooks_of(generation, def)
  local list = {}
  for i = 1, #generation.uses do
    layer_hooks(generation, generation.uses[i], list)
  end
  for i = 1, #(def.layers or {}) do
    layer_hooks(generation, def.layers[i], list)
  end
  for i = 1, #generation.hooks do
    local hook = generation.hooks[i]
    if hook.selects(def) then
      list[#list + 1] = hook
    end
  end
  return list
end

---Composes what runs for a definition: sets settled and events, and run, or for workers made from
---a function, which are wrapped as they are spawned, wrap.
function middleware.compose(generation, def)
  local list, wraps = hooks_of(generation, def), {}
  for i = 1, #list do
    local hook = list[i]
    if WRAP[hook.kind] then
      wraps[#wraps + 1] = hook
    else
      local slot = hook.kind == "settled" and "settled" or "events"
      def[slot] = def[slot] or {}
      def[slot][#def[slot] + 1] = hook
    end
  end
  if #wraps == 0 and not def.events then
    return
  end
  local function wrap(run)
    local pipeline = core(run)
    for i = 1, #wraps do
      pipeline = WRAP[wraps[i].kind](pipeline, wraps[i])
    end
    pipeline = outermost(pipeline)
    handles.wrapped[pipeline] = run
    return pipeline
  end
  def.wrapped = true
  if def.run then
    def.run = wrap(def.run)
  else
    def.wrap = wrap
  end
end

return middleware
