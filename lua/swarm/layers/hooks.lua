-- What a script says about middleware while it loads: hooks on workers, layers, and which layers
-- are on every worker. Checked here; composed by pipeline.lua.
local arguments = require "swarm.ground.arguments"
local errors = require "swarm.ground.errors"
local frames = require "swarm.ground.frames"
local raised = require "swarm.ground.raised"
local roles = require "swarm.rights.roles"
local glob = require "swarm.ground.glob"
local shown = require "swarm.ground.shown"
local spelling = require "swarm.ground.spelling"
local stock = require "swarm.layers.stock.all"
local require = require -- a trusted script may set its own
local type, pairs, xpcall, format = type, pairs, xpcall, string.format

local hooks = {}

local function wrong(message, where)
  return errors.throw("load_error", message, { where = where })
end

---Makes a `select` into function(def) → boolean; keeps the plain names, which must exist.
local function selector(select, call, plain)
  local kind = type(select)
  if kind == "function" then
    return function(def)
      return select { name = def.name, kind = def.kind, role = def.role } and true or false
    end
  elseif kind == "string" then
    if not glob.is(select) then
      plain[#plain + 1] = select
    end
    return function(def)
      return glob.matches(select, def.name or "")
    end
  elseif kind == "table" and #select > 0 then
    local any = {}
    for i = 1, #select do
      any[i] = selector(select[i], call, plain)
    end
    return function(def)
      for i = 1, #any do
        if any[i](def) then
          return true
        end
      end
      return false
    end
  end
  return wrong(
    call
      .. " takes a worker's name, a glob, a list of these or a function first, and got "
      .. shown.value(select)
  )
end

---swarm.before, after, around and settled
function hooks.add(generation, kind, select, fn)
  local call = "swarm." .. kind
  if type(fn) ~= "function" then
    return arguments.wrong(call .. " takes a function second", fn, "load_error")
  end
  local plain = {}
  local where = frames.where()
  generation.hooks[#generation.hooks + 1] = {
    kind = kind,
    fn = fn,
    select = select,
    selects = selector(select, call, plain),
    plain = plain,
    rights = roles.ROLES.operator,
    what = "the " .. kind .. " hook at " .. where,
    where = where,
  }
end

local LAYER_FIELDS = {
  before = "function",
  after = "function",
  around = "function",
  settled = "function",
  event = "function",
  options = "function",
  role = "string",
}

---swarm.layer "name" { ... }
function hooks.layer(generation, name, fields, where)
  if type(fields) ~= "table" then
    return arguments.wrong(format("layer %q takes a table", name), fields, "load_error")
  end
  for key, value in pairs(fields) do
    local expected = LAYER_FIELDS[key]
    if not expected then
      local hint = spelling.hint(key, LAYER_FIELDS, "")
      return wrong(
        format("layer %q has no field %s%s", name, shown.value(key), hint)
          .. (hint == "" and "; its fields are " .. spelling.list(LAYER_FIELDS) or "")
      )
    elseif type(value) ~= expected then
      return wrong(
        format("layer %q: %s must be a %s, and is %s", name, key, expected, shown.value(value))
      )
    end
  end
  generation.layers[name] = { name = name, fields = fields, where = where, rights = nil }
end

---One entry of `layers` or of swarm.use: a name with its options.
local function entry_of(name, options, where, what)
  if type(name) ~= "string" then
    return wrong(what .. " takes a layer's name, and got " .. shown.value(name), where)
  elseif options ~= nil and type(options) ~= "table" then
    return wrong(what .. " takes a table of options, and got " .. shown.value(options), where)
  end
  return {
    name = name,
    options = options,
    where = where,
    read = nil, -- what the hooks get of the options, as loading ends
    off = false, -- the layer's `options` has said that it is not put on
    when = nil, -- operator_kind: function(task) → whether it stands around that one; nil: always
  }
end
hooks.entry = entry_of

---swarm.use(name, opts?)
function hooks.use(generation, name, options)
  local entry = entry_of(name, options, frames.where(), "swarm.use")
  generation.uses[#generation.uses + 1] = entry
end

---The `layers` of a worker: names, or a table of a name and its options.
function hooks.layers_of(worker, list, where)
  local entries = {}
  local what = format("worker %q: layers", worker)
  for key in pairs(list) do
    if type(key) ~= "number" then
      local example = '{ "name", { "name", option = 1 } }'
      return wrong(what .. " is a list, " .. example .. ", and has the key " .. shown.value(key))
    end
  end
  for i = 1, #list do
    local item = list[i]
    if type(item) == "table" then
      local options = {}
      for key, value in pairs(item) do
        if key ~= 1 then
          options[key] = value
        end
      end
      entries[i] = entry_of(item[1], options, where, what)
    else
      entries[i] = entry_of(item, nil, where, what)
    end
  end
  return entries
end

---The layer of a name: the script's own, else the host's, which is loaded by that.
local function layer_of(generation, name)
  local layer = generation.layers[name]
  if not layer and stock[name] then
    local fields = require("swarm.layers.stock." .. name)
    layer = { name = name, fields = fields, where = nil, rights = nil }
    generation.layers[name] = layer
  end
  return layer
end

local function unknown_layer(generation, entry)
  local known = {}
  for _, names in pairs { stock, generation.layers } do
    for name in pairs(names) do
      known[name] = true
    end
  end
  local hint = spelling.hint(entry.name, known, "")
  hint = hint ~= "" and hint or "; layers: " .. spelling.list(known)
  return wrong(format("there is no layer %q", entry.name) .. hint, entry.where)
end

---What the hooks of a layer get of the options that it is asked for with.
local function read_options(layer, entry)
  local read = layer.fields.options
  if not read then
    return entry.options
  end
  local given = {}
  for key, value in pairs(entry.options or {}) do
    given[key] = value
  end
  local ok, options = xpcall(read, raised.from_raised, given)
  if not ok then
    return wrong(format("layer %q: %s", entry.name, options.message), entry.where)
  elseif options ~= nil and options ~= false and type(options) ~= "table" then
    local must = "layer %q: its function options returns a table, or false, and returned %s"
    return wrong(format(must, entry.name, shown.value(options)), entry.where)
  end
  return options
end

local function check_layer(generation, entry)
  local layer = layer_of(generation, entry.name)
  if not layer then
    return unknown_layer(generation, entry)
  end
  local options = read_options(layer, entry)
  entry.read, entry.off = options or nil, options == false
end

local function check_hook(generation, hook)
  for j = 1, #hook.plain do
    local name = hook.plain[j]
    if not generation.workers[name] and name ~= "main" then
      local hint = spelling.hint(name, generation.workers, "")
      local named = hook.what .. " names the worker " .. shown.value(name)
      return wrong(named .. ", which does not exist" .. hint, hook.where)
    end
  end
end

---What could only be checked when all was defined.
function hooks.check(generation)
  local try, tell = arguments.together()
  for i = 1, #generation.hooks do
    try(check_hook, generation, generation.hooks[i])
  end
  for i = 1, #generation.uses do
    try(check_layer, generation, generation.uses[i])
  end
  local function check_layers(def)
    for i = 1, def and def.layers and #def.layers or 0 do
      try(check_layer, generation, def.layers[i])
    end
  end
  for _, def in pairs(generation.workers) do
    check_layers(def)
  end
  check_layers(generation.main)
  check_layers(generation.unnamed)
  return tell()
end

---The places of hooks on names and globs that no worker has.
---@return string[]
function hooks.idle(generation)
  local places = {}
  for i = 1, #generation.hooks do
    local hook = generation.hooks[i]
    local used = type(hook.select) == "function"
      or hook.selects(generation.unnamed)
      or generation.main and hook.selects(generation.main)
    for _, def in pairs(generation.workers) do
      used = used or hook.selects(def)
    end
    if not used then
      places[#places + 1] = hook.where
    end
  end
  return places
end

return hooks
