-- Middleware: what stands around a worker's run, composed once a generation into one function that
-- runs in the worker's own coroutine. A worker without any keeps its bare run.
--
--   settled  <-  around > before > [ use, layers: the same again > [ run ] > after ] > after > ...
--
-- From the inside out: the worker, `use`, `layers`, then hooks as registered. So of two `before`
-- the last registered runs first, of two `after` the first.
local acting = require "swarm.rights.acting"
local blocks = require "swarm.structure.blocks"
local cancelling = require "swarm.scope.cancel"
local closing = require "swarm.worker.closing"
local errors = require "swarm.ground.errors"
local events = require "swarm.events.run"
local frames = require "swarm.ground.frames"
local gate = require "swarm.rights.gate"
local need_room = require "swarm.ground.room"
local output = require "swarm.worker.output.say"
local raised = require "swarm.ground.raised"
local record = require "swarm.scheduler.record"
local result = require "swarm.layers.result"
local results = require "swarm.worker.result"
local S = require "swarm.scheduler.scheduler"
local scopes = require "swarm.scope.scope"
local settled = require "swarm.layers.settled"
local shown = require "swarm.ground.shown"
local values = require "swarm.values.values"

local debug_getmetatable, xpcall, error = debug.getmetatable, xpcall, error
local pairs, select, sub = pairs, select, string.sub
local copy, passing = values.copy, frames.passing

local pipeline = {}

-- What stands around ------------------------------------------------------------------------------

---Waits for the children of a worker that has come to a point where none may be left: cancelled
---first where it failed. What failed unowned is raised, or goes with the error.
local function settle_children(w, ok, err)
  ok, err = closing.close(w, w, ok, err, "its parent failed")
  ok, err = closing.with_unowned(w, ok, err)
  if not ok then
    return error(err, 0)
  end
end

---The innermost: the worker's own run, its children, and its final.
local function core(run)
  return function(ctx, input)
    local task = debug_getmetatable(ctx)
    local w = task.worker
    local value, reason
    task.input = input
    if w.scope ~= w or w.first_child then
      -- A hook's block, or its children: they are not the run's to wait for.
      value, reason = blocks.apart("the run", run, ctx, input)
    else
      local ok
      ok, value, reason = xpcall(run, passing, ctx, input)
      w.scope = w
      if not ok or w.first_child or scopes.has_failed(w) then
        settle_children(w, ok, value)
      end
    end
    if w.scope.cancel then
      cancelling.raise(w)
    end
    if (value ~= nil or reason ~= nil) and w.rights.post_result ~= true then
      gate.check(w, "post_result")
    end
    value = copy(value, "result")
    return output.final(task, value, reason ~= nil and results.reason(reason) or nil)
  end
end

---The error of a `before` hook that raised.
local function refusal_of(task, hook, err)
  local refusal = raised.from_raised(err)
  if events.on then
    events.publish("refused", task, { by = hook.what })
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

local function with_before(inner, hook)
  return function(ctx, input)
    local task = debug_getmetatable(ctx)
    local w = task.worker
    local ok, replaced = acting.as(w, hook.rights, hook.fn, ctx, input)
    if not ok and w.cancel then
      return error(replaced, 0)
    elseif not ok then
      return refusal_of(task, hook, replaced)
    elseif replaced ~= nil then
      input = result.copy_from(hook, replaced, "input")
    end
    return inner(ctx, input)
  end
end

local function with_after(inner, hook)
  return function(ctx, input)
    local value, reason = inner(ctx, input)
    local seen, w = result.of(value, reason), debug_getmetatable(ctx).worker
    local ok, made = acting.as(w, hook.rights, hook.fn, ctx, seen)
    if not ok then
      return error(made, 0)
    elseif made == nil then
      return value, reason
    end
    return result.read(made, hook)
  end
end

local function with_around(inner, hook)
  return function(ctx, input)
    local task = debug_getmetatable(ctx)
    local w = task.worker
    local own = w.rights
    local runs, inside = true, false
    task.input = input -- as hooks outside of this one have made it: it may run nothing further in
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
        given = (...)
      end
      given = copy(given, "input") -- of its own each time: what is inside may spoil it
      need_room()
      inside = true
      local ok, value, reason = acting.as(w, own, inner, ctx, given)
      inside = false
      if not ok then
        return error(value, 0)
      end
      return result.of(value, reason)
    end
    local ok, made = acting.as(w, hook.rights, hook.fn, ctx, following)
    runs = false
    if not ok then
      return error(made, 0)
    end
    return result.read(made, hook)
  end
end

---The outermost: the children of hooks, and whether the result is still the one that the tail has.
local function outermost(inner)
  return function(ctx, input)
    local task = debug_getmetatable(ctx)
    local w = task.worker
    local ok, value, reason = xpcall(inner, passing, ctx, input)
    if not ok then
      output.flush(task)
      return error(value, 0)
    end
    if w.first_child or scopes.has_failed(w) then
      settle_children(w, true)
      if w.cancel then
        cancelling.raise(w)
      end
    end
    return output.changed(task, value, reason)
  end
end

local WRAP = { before = with_before, after = with_after, around = with_around }

---What runs with a hook around it, or without it where it is not for the task.
local function wrapped(inner, hook)
  local when, outer = hook.when, WRAP[hook.kind](inner, hook)
  return when
      and function(ctx, input)
        if when(debug_getmetatable(ctx)) then
          return outer(ctx, input)
        end
        return inner(ctx, input)
      end
    or outer
end

-- Composition -------------------------------------------------------------------------------------

---The hooks of a layer that a worker asked for or `use` put on it, as hooks of its own.
local function layer_hooks(generation, entry, list)
  local layer, options = generation.layers[entry.name], entry.read
  for _, kind in pairs { "before", "after", "around", "settled", "event" } do
    local fn = not entry.off and layer.fields[kind]
    if fn then
      list[#list + 1] = {
        kind = kind,
        fn = options and function(ctx, x)
          return fn(ctx, x, options)
        end or fn,
        rights = layer.rights,
        what = "layer " .. shown.value(entry.name) .. " (" .. kind .. ")",
        where = layer.where or entry.where, -- one of the host's has none
        when = entry.when,
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
function pipeline.compose(generation, def)
  local list, wraps, of_ends, of_events = hooks_of(generation, def), {}, {}, {}
  for i = 1, #list do
    local hook = list[i]
    local into = WRAP[hook.kind] and wraps or hook.kind == "settled" and of_ends or of_events
    into[#into + 1] = hook
  end
  def.settled = of_ends[1] and settled(of_ends)
  def.events = of_events[1] and of_events
  if #wraps == 0 and not def.events then
    return
  end
  local function wrap(run)
    local inner = core(run)
    for i = 1, #wraps do
      inner = wrapped(inner, wraps[i])
    end
    inner = outermost(inner)
    record.wrapped[inner] = run
    return inner
  end
  def.wrapped = true
  if def.run then
    def.run = wrap(def.run)
  else
    def.wrap = wrap
  end
end

return pipeline
