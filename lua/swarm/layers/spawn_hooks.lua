-- swarm.spawn_hook, swarm.operator_kind, and where the layer main_ai stands: around each attempt
-- whose operator is of kind main_ai or composite. A worker that names the layer is of kind main_ai
-- where nobody has said anything else.
local arguments = require "swarm.ground.arguments"
local errors = require "swarm.ground.errors"
local frames = require "swarm.ground.frames"
local hooks = require "swarm.layers.hooks"
local operator_kind = require "swarm.worker.spawning.operator_kind"
local shown = require "swarm.ground.shown"
local spelling = require "swarm.ground.spelling"
local format, insert, pairs, type = string.format, table.insert, pairs, type

local spawn_hooks = {}

local FIELDS = { before = true, after = true }

local function wrong(message)
  return errors.throw("load_error", message)
end

---swarm.spawn_hook{ before?, after? }
function spawn_hooks.define(generation, fields)
  if type(fields) ~= "table" then
    local takes = "swarm.spawn_hook takes a table such as { before = function(ctx) ... end }"
    return arguments.wrong(takes, fields, "load_error")
  end
  for key, value in pairs(fields) do
    if not FIELDS[key] then
      local hint = spelling.hint(key, FIELDS, "")
      hint = hint ~= "" and hint or "; it has before and after"
      return wrong("swarm.spawn_hook has no field " .. shown.value(key) .. hint)
    elseif type(value) ~= "function" then
      local message = "swarm.spawn_hook: %s must be a function, and is %s"
      return wrong(format(message, key, shown.value(value)))
    end
  end
  local earlier = generation.spawn_hook
  if earlier then
    return wrong("swarm.spawn_hook is there twice; the first is at " .. earlier.where)
  end
  generation.spawn_hook = { before = fields.before, after = fields.after, where = frames.where() }
end

---swarm.operator_kind = "..."
function spawn_hooks.set_kind(generation, kind)
  if not operator_kind.is(kind) then
    local message = "swarm.operator_kind must be %s, and is %s"
    return wrong(format(message, operator_kind.MUST, shown.value(kind)))
  end
  generation.operator_kind = kind
end

local function is_on(task)
  local kind = operator_kind.of(task)
  return kind == "main_ai" or kind == "composite"
end

local function never()
  return false
end

---Says when the layer stands, in each entry that names it.
---@return boolean named there is one
local function mark(entries, stands)
  local named = false
  for i = 1, entries and #entries or 0 do
    if entries[i].name == "main_ai" then
      entries[i].when, named = stands, true
    end
  end
  return named
end

local function complete(generation, def, used, stands)
  local named = mark(def.layers, stands) or used
  def.operator_kind = def.operator_kind or generation.operator_kind or named and "main_ai" or nil
  if not named and generation.spawn_hook then
    local entry = hooks.entry("main_ai", nil, generation.spawn_hook.where, "swarm.spawn_hook")
    entry.when = stands
    def.layers = def.layers or {}
    insert(def.layers, 1, entry)
  end
end

---Says of each worker which operator it has, and puts the layer around it. Called as loading ends,
---before layers are looked up.
function spawn_hooks.complete(generation)
  local is_own = generation.layers.main_ai ~= nil
  local stands = (generation.spawn_hook or is_own) and is_on or never
  local used = mark(generation.uses, stands)
  for _, def in pairs(generation.workers) do
    complete(generation, def, used, stands)
  end
  complete(generation, generation.unnamed, used, stands)
  if generation.main then
    complete(generation, generation.main, used, stands)
  end
end

return spawn_hooks
