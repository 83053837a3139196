-- What a script says about middleware while it loads: hooks on workers, layers, and which layers
-- are on every worker. Checked here; composed by pipeline.lua.
local arguments = require "swarm.ground.arguments"
local errors = require "swarm.ground.errors"
local frames = require "swarm.ground.frames"
local roles = require "swarm.rights.roles"
local glob = require "swarm.ground.glob"
local shown = require "swarm.ground.shown"
local spelling = require "swarm.ground.spelling"
local type, pairs, format = type, pairs, string.format

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
  return { name = name, options = options, where = where }
end

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

local function check_layer(generation, entry)
  if not generation.layers[entry.name] then
    local hint = spelling.hint(entry.name, generation.layers, "")
    local known = spelling.list(generation.layers)
    return wrong(
      format("there is no layer %q", entry.name)
        .. (hint ~= "" and hint or known ~= "" and "; layers: " .. known or ""),
      entry.where
    )
  end
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
  for _, def in pairs(generation.workers) do
    for i = 1, #(def.layers or {}) do
      try(check_layer, generation, def.layers[i])
    end
  end
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
