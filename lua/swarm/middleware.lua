-- Middleware: what stands around a worker's run, composed once a generation into one function that
-- runs in the worker's own coroutine. A worker without any keeps its bare run.
--
--   settled  <-  around > before > [ use, layers: the same again > [ run ] > after ] > after > ...
--
-- From the inside out: the worker, `use`, `layers`, then hooks as registered. So of two `before` the
-- last registered runs first, of two `after` the first.
local blocks = require "swarm.blocks"
local clock = require "swarm.clock"
local errors = require "swarm.errors"
local gate = require "swarm.gate"
local log = require "swarm.log"
local names = require "swarm.names"
local output = require "swarm.output"
local Scope = require "swarm.scope"
local Settle = require "swarm.settle"
local values = require "swarm.values"

local debug_getmetatable, xpcall, error = debug.getmetatable, xpcall, error
local type, pairs, select = type, pairs, select
local copy, passing = values.copy, errors.passing

local middleware = {}

local OPERATOR = gate.ROLES.operator
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

---What a hook returned, as a value and a reason; raises for nonsense.
local function read_result(result, hook)
  if type(result) ~= "table" then
    return errors.throw(
      "invalid_value",
      hook.what
        .. " must return a result { value, ok, reason }, and returned "
        .. names.show(result),
      { path = "result", where = hook.where }
    )
  end
  for key in pairs(result) do
    if not RESULT_FIELDS[key] then
      return errors.throw(
        "invalid_value",
        hook.what
          .. " returned a result with the field "
          .. names.show(key)
          .. "; a result has value, ok and reason",
        { path = "result", where = hook.where }
      )
    end
  end
  local value, reason = copy(result.value, "result.value"), nil
  if result.ok == false or (result.ok == nil and result.reason ~= nil) then
    reason = Settle.reason(result.reason == nil and "no reason given" or result.reason)
  end
  return value, reason
end

-- The layers of a pipeline ------------------------------------------------------------------------

---The innermost: the worker's own run, its children, and its final.
local function core(run)
  return function(ctx, input)
    local w = debug_getmetatable(ctx)
    local ok, value, reason = xpcall(run, passing, ctx, input)
    w.scope = w
    if w.first_child then
      local cause = w.cancel
      if not ok and not cause then
        cause = { kind = "parent", reason = "its parent failed", scope = w }
      end
      if cause then
        Scope.cancel_children(w, cause)
      end
      Scope.wait_children(w, w)
    end
    if not ok then
      return error(value, 0)
    end
    local unowned = Scope.unowned(w)
    if unowned then
      Scope.forget_failed(w)
      return error(Scope.children_failed(unowned), 0)
    end
    if w.cancel then
      Scope.raise(w)
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
      local message = errors.text_of(type(replaced) == "table" and replaced.message or replaced)
      return errors.throw("rejected_by_middleware", hook.what .. " refused: " .. message, {
        reason = message,
        where = type(replaced) == "table" and replaced.where or nil,
      })
    end
    if replaced ~= nil then
      input = copy(replaced, "input")
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
    local runs = true
    local function following(...)
      if not runs then
        return errors.throw("invalid_argument", "next was kept beyond its hook: " .. hook.what)
      end
      local given = input
      if select("#", ...) > 0 then
        given = copy((...), "input")
      end
      w.rights = own
      local ok, value, reason = xpcall(inner, passing, ctx, given)
      w.rights = rights
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

---The outermost: says whether the result is still the one that the tail has.
local function outermost(inner)
  return function(ctx, input)
    local value, reason = inner(ctx, input)
    return output.changed(debug_getmetatable(ctx), value, reason)
  end
end

local WRAP = { before = with_before, after = with_after, around = with_around }

-- settled hooks -----------------------------------------------------------------------------------

---Runs the settled hooks of a worker that is about to settle; a hook's error fails the run.
function middleware.settled(w, status, value, err)
  local hooks = w.def.settled
  w.scope, w.rights = w, OPERATOR
  for i = 1, #hooks do
    local hook = hooks[i]
    local outcome = { status = status, err = err, started = w.extra.started, ended = clock.wall() }
    if value ~= nil then
      outcome.value = copy(value, "result")
    end
    w.rights = hook.rights
    local ok, problem = xpcall(blocks.shield, passing, function()
      hook.fn(w.handle, outcome)
    end, { timeout = SETTLED_SECONDS })
    if not ok then
      problem = errors.from_raised(problem)
      log.entry("error", hook.what .. " failed: " .. errors.headline(problem), nil, w)
      Settle.run_errors[#Settle.run_errors + 1] = problem
    end
  end
end
Settle.run_settled_hooks = middleware.settled

-- Composition ---------------------------------------------------------------------------------------

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
        what = "layer " .. names.show(entry.name) .. " (" .. kind .. ")",
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

---Composes what runs for a definition: sets def.run, def.settled and def.events.
---@param def table
---@param run function the kind's own
function middleware.compose(generation, def, run)
  local list = hooks_of(generation, def)
  local pipeline, wraps = nil, false
  for i = 1, #list do
    local hook = list[i]
    local wrap = WRAP[hook.kind]
    if hook.kind == "settled" then
      def.settled = def.settled or {}
      def.settled[#def.settled + 1] = hook
    elseif hook.kind == "event" then
      def.events = def.events or {}
      def.events[#def.events + 1] = hook
      wraps = true
    else
      wraps = true
    end
    if wrap or (wraps and not pipeline) then
      pipeline = pipeline or core(run)
      pipeline = wrap and wrap(pipeline, hook) or pipeline
    end
  end
  def.run = pipeline and outermost(pipeline) or run
  def.wrapped = pipeline ~= nil
end

---For workers made from a function: what stands around them is composed as they are spawned.
function middleware.compose_unnamed(generation)
  local def = generation.unnamed
  local list = hooks_of(generation, def)
  if #list == 0 then
    return
  end
  local template = { name = nil }
  def.wrap = function(run)
    middleware.compose(generation, template, run)
    return template.run
  end
  def.wrap(function() end)
  def.settled, def.events = template.settled, template.events
  def.wrapped = template.wrapped
end

return middleware
