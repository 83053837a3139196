-- The definitions of one generation: what `swarm.worker` and `swarm.main` said while the script
-- loaded, checked. Every mistake names the author's line, the field and the nearest known name.
local errors = require "swarm.errors"
local gate = require "swarm.gate"
local hooks = require "swarm.hooks"
local middleware = require "swarm.middleware"
local names = require "swarm.names"
local Scope = require "swarm.scope"
local S = require "swarm.scheduler"
local type, pairs, setmetatable, tostring = type, pairs, setmetatable, tostring
local format, floor = string.format, math.floor

local registry = {}

local kinds = { lua = require "swarm.kinds.lua" }

-- What every kind of worker may say, and what it must be.
local COMMON = {
  kind = "string",
  description = "string",
  timeout = "seconds",
  concurrency = "count",
  role = "string",
  authority = "authority",
  layers = "list",
}

local checks = {
  ["function"] = function(value)
    return type(value) == "function", "a function"
  end,
  string = function(value)
    return type(value) == "string", "a string"
  end,
  seconds = function(value)
    return type(value) == "number" and value > 0 and value < 1 / 0, "a number of seconds above zero"
  end,
  authority = function(value)
    return value == "own", 'the word "own"'
  end,
  list = function(value)
    return type(value) == "table", "a list"
  end,
  count = function(value)
    return type(value) == "number" and value >= 1 and floor(value) == value,
      "a whole number, one or more"
  end,
}

local function wrong(message, fields)
  return errors.throw("load_error", message, fields)
end

---A new, empty set of definitions.
---@param number integer the generation's number
function registry.new(number)
  local generation = {
    number = number,
    workers = {}, -- name → definition
    main = nil,
    roles = {}, -- name → { fields, where }, then name → rights
    hooks = {}, -- in the order of registration
    layers = {}, -- name → { fields, where, rights }
    uses = {}, -- the layers that are on every worker
    open = {}, -- names of `swarm.worker "x"` whose table has not come yet
    files = {}, -- what was read while loading
    closed = false, -- loading has ended
  }
  -- A worker made from a function has no name; it belongs to the generation of its spawner.
  generation.unnamed = { name = nil, kind = "lua", generation = generation, unnamed = true }
  generation.rights = gate.ROLES
  return generation
end

---The kind of a definition: named by `kind`, or by the field that only it has.
local function kind_of(name, fields)
  local kind = fields.kind
  if kind ~= nil then
    if not kinds[kind] then
      return wrong(
        format(
          "worker %q: there is no kind %s%s",
          name,
          names.show(kind),
          names.hint(kind, kinds, "")
        )
          .. "; known kinds: "
          .. names.list(kinds)
      )
    end
    return kinds[kind]
  end
  for _, candidate in pairs(kinds) do
    if fields[candidate.field] ~= nil then
      return candidate
    end
  end
  local wanted = {}
  for _, candidate in pairs(kinds) do
    wanted[candidate.field] = true
  end
  for key in pairs(fields) do
    local near = names.nearest(tostring(key), wanted)
    if near and not COMMON[key] then
      return wrong(
        format("worker %q has no field %s; did you mean %s?", name, names.show(key), near),
        { field = key }
      )
    end
  end
  return wrong(format("worker %q does not say what it runs: it needs %s", name, names.list(wanted)))
end

local function check_fields(name, fields, kind)
  local known = setmetatable({}, { __index = COMMON })
  for key, check in pairs(COMMON) do
    known[key] = check
  end
  for key, check in pairs(kind.fields) do
    known[key] = check
  end
  for key, value in pairs(fields) do
    local check = known[key]
    if not check then
      local hint = names.hint(key, known, "")
      return wrong(
        format("worker %q has no field %s%s", name, names.show(key), hint)
          .. (hint == "" and "; its fields are " .. names.list(known) or ""),
        { field = tostring(key) }
      )
    end
    local fits, expected = checks[check](value)
    if not fits then
      return wrong(
        format("worker %q: %s must be %s, and is %s", name, key, expected, names.show(value)),
        { field = key }
      )
    end
  end
  if fields[kind.field] == nil then
    return wrong(
      format("worker %q is of kind %s and needs the field %s", name, kind.name, kind.field)
    )
  end
end

local function still_loading(generation, what)
  if generation.closed or S.current.cancel ~= Scope.LOADING then
    return wrong(what .. " belongs at the top of a script: definitions are made while it loads")
  end
end

local function define_worker(generation, name, fields, where)
  if type(fields) ~= "table" then
    return wrong(format("worker %q takes a table of fields, and got %s", name, names.show(fields)))
  end
  local kind = kind_of(name, fields)
  check_fields(name, fields, kind)
  local def = {
    name = name,
    kind = kind.name,
    run = fields.run,
    description = fields.description,
    timeout = fields.timeout,
    slots = nil,
    role = fields.role or "worker",
    authority = fields.authority,
    layers = fields.layers and hooks.layers_of(name, fields.layers, where),
    generation = generation,
    where = where,
  }
  if fields.concurrency then
    def.slots = { max = fields.concurrency, active = 0, waiters = { head = nil, tail = nil } }
  end
  def.run = kind.start(def)
  generation.workers[name] = def
end

local function define_role(generation, name, fields, where)
  gate.check_role(name, fields)
  generation.roles[name] = { fields = fields, where = where }
end

-- What is defined by a name and a table: where they are kept, what makes one, an example.
local NAMED = {
  worker = { "workers", define_worker, "{ run = function(ctx, input) ... end }" },
  role = { "roles", define_role, '{ extends = "worker", deny = { ... } }' },
  layer = { "layers", hooks.layer, "{ after = function(ctx, result) ... end }" },
}

---swarm.worker "name" { ... } and swarm.worker("name", { ... }); so for role and layer.
---@param what string worker, role or layer
function registry.define(generation, what, name, ...)
  local call = "swarm." .. what
  local kept, make = NAMED[what][1], NAMED[what][2]
  still_loading(generation, call)
  if type(name) ~= "string" or name == "" then
    return wrong(call .. " takes a name, and got " .. names.show(name))
  end
  local key = what .. " " .. name
  local before = generation[kept][name] or generation.open[key]
  if before then
    return wrong(
      format("%s %q is defined twice; the first is at %s", what, name, tostring(before.where))
    )
  elseif what == "role" and gate.ROLES[name] then
    return wrong(format("role %q comes with the host: extend it under a name of your own", name))
  end
  local where = errors.where()
  if select("#", ...) > 0 then
    return make(generation, name, (...), where)
  end
  generation.open[key] = { what = what, name = name, where = where }
  return function(fields)
    still_loading(generation, call)
    if not generation.open[key] then
      return wrong(format("%s %q was given its table already", what, name))
    end
    generation.open[key] = nil
    return make(generation, name, fields, where)
  end
end

---swarm.before, after, around, settled
function registry.hook(generation, kind, select, fn)
  still_loading(generation, "swarm." .. kind)
  return hooks.add(generation, kind, select, fn)
end

---swarm.use(name, opts?)
function registry.use(generation, name, options)
  still_loading(generation, "swarm.use")
  return hooks.use(generation, name, options)
end

---swarm.main(function(args, ctx) ... end)
function registry.main(generation, fn)
  still_loading(generation, "swarm.main")
  if type(fn) ~= "function" then
    return wrong("swarm.main takes a function, and got " .. names.show(fn))
  end
  local before = generation.main
  if before then
    return wrong("swarm.main is there twice; the first is at " .. tostring(before.where))
  end
  generation.main = {
    name = "main",
    kind = "lua",
    fn = fn,
    generation = generation,
    where = errors.where(),
  }
end

---A definition whose table never came.
local function check_open(generation)
  local first_key, first
  for key, open in pairs(generation.open) do
    if not first_key or key < first_key then
      first_key, first = key, open
    end
  end
  if first then
    return wrong(
      format(
        "%s %q has no table: write swarm.%s %q %s",
        first.what,
        first.name,
        first.what,
        first.name,
        NAMED[first.what][3]
      ),
      { where = first.where }
    )
  end
end

---Ends the loading: what could only be seen when all was there. Roles become rights, and what runs
---for each worker is composed.
function registry.close(generation)
  check_open(generation)
  hooks.check(generation)
  local rights = gate.roles(generation.roles)
  for _, layer in pairs(generation.layers) do
    local role = layer.fields.role or "operator"
    layer.rights = gate.role(generation.roles, rights, role, layer.where)
  end
  for _, def in pairs(generation.workers) do
    def.rights = gate.role(generation.roles, rights, def.role, def.where)
    middleware.compose(generation, def, def.run)
  end
  middleware.compose_unnamed(generation)
  if generation.main then
    generation.main.rights = rights.operator
  end
  generation.rights = rights
  generation.closed = true
  return generation
end

---What `swarm-host check` tells of a generation.
function registry.describe(generation)
  local workers = {}
  for name, def in pairs(generation.workers) do
    workers[name] = {
      kind = def.kind,
      role = def.role,
      where = def.where,
      description = def.description,
    }
  end
  return { workers = workers, main = generation.main and generation.main.where or nil }
end

return registry
