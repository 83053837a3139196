-- What a definition is made of, as text: two that behave alike have the same, wherever they stand
-- in their files. A function is its bytecode without line numbers, and what it closes over; a table
-- its items; what is in swarm.state is the run's, and counts by its name. Taken as a generation is
-- loaded, before anything it closes over has moved. Where all is the same no generation takes over,
-- so what cannot be looked into is told too: `blind`.
local frames = require "swarm.ground.frames"
local opaque = require "swarm.ground.opaque"
local secret = require "swarm.outside.secret"
local states = require "swarm.script.state"
local values = require "swarm.values.values"
local debug_getmetatable, getinfo, getupvalue = debug.getmetatable, debug.getinfo, debug.getupvalue
local type, pairs, pcall, tostring, next = type, pairs, pcall, tostring, next
local concat, sort, dump, find = table.concat, table.sort, string.dump, string.find

local fingerprint = {}

local MOST_ITEMS = 20000 -- of one definition; what lies behind them is not compared

-- Marks of the host's tables that are the script's to fill.
local WITH_ITEMS = {
  ["swarm.array"] = true,
  ["swarm.object"] = true,
  ["swarm.error"] = true,
}

local print_of

---An object of the host's: what the script gave to make it.
local function print_object(value, mark, out)
  local object = opaque.of(value)
  if object then
    out[#out + 1] = mark .. " " .. tostring(object.capacity or object.permits)
  elseif values.is_file(value) then
    local path, mime = values.file_parts(value)
    out[#out + 1] = mark .. " " .. path .. " " .. tostring(mime)
  elseif secret.name(value) then
    out[#out + 1] = mark .. " " .. secret.name(value)
  else
    out[#out + 1] = "host object " .. mark -- the face and its parts: nothing of the script's
  end
end

local function print_function(fn, walk, out)
  local info = getinfo(fn, "S")
  local ok, code = pcall(dump, fn, "sd") -- deterministic, without what only debuggers need
  if frames.is_host(info) or not ok then
    local name = walk.names[fn]
    out[#out + 1] = "host function " .. (name or "")
    walk.blind = walk.blind or not name -- it may close over anything
    return
  end
  out[#out + 1] = code
  local i = 1
  local name, value = getupvalue(fn, i)
  while name do
    print_of(value, walk, out)
    i = i + 1
    name, value = getupvalue(fn, i)
  end
end

local function print_table(value, walk, out)
  local mt = debug_getmetatable(value)
  local mark = mt and rawget(mt, "__metatable")
  if type(mark) == "string" and find(mark, "^swarm") and not WITH_ITEMS[mark] then
    return print_object(value, mark, out)
  end
  local keys = {}
  for key in next, value do
    local kind = type(key)
    if kind == "string" or kind == "number" or kind == "boolean" then
      keys[#keys + 1] = key
    else
      walk.blind = true -- in which order they come nobody knows
    end
  end
  sort(keys, function(a, b)
    local kind, other = type(a), type(b)
    if kind ~= other then
      return kind < other
    end
    return kind == "boolean" and a and not b or kind ~= "boolean" and a < b
  end)
  out[#out + 1] = "{"
  for i = 1, #keys do
    print_of(keys[i], walk, out)
    print_of(value[keys[i]], walk, out)
  end
  if WITH_ITEMS[mark] then
    out[#out + 1] = mark
  elseif mt then
    print_of(mt, walk, out)
  end
  out[#out + 1] = "}"
end

function print_of(value, walk, out)
  local kind = type(value)
  if kind == "string" then
    out[#out + 1] = #value .. ":" .. value
    return
  elseif kind ~= "table" and kind ~= "function" then
    walk.blind = walk.blind or kind == "thread" or kind == "cdata"
    out[#out + 1] = kind == "number" and ("%.17g"):format(value)
      or kind == "boolean" and tostring(value)
      or kind
    return
  end
  local seen, lasting = walk.seen[value], walk.lasting[value]
  if lasting then
    out[#out + 1] = lasting
    walk.lasts = true
    return
  elseif seen or walk.n >= MOST_ITEMS then
    out[#out + 1] = "#" .. tostring(seen)
    walk.blind = walk.blind or not seen
    return
  end
  walk.n = walk.n + 1
  walk.seen[value] = walk.n
  if kind == "function" then
    return print_function(value, walk, out)
  end
  return print_table(value, walk, out)
end

-- What is given to every script -------------------------------------------------------------------

local function name_members(names, prefix, library)
  for key, value in next, library do
    if type(key) == "string" and type(value) == "function" then
      names[value] = prefix .. key
    end
  end
end

local of_lua = {} -- function → name
for name, library in next, _G do
  if type(library) == "table" then
    name_members(of_lua, name .. ".", library)
  end
end
name_members(of_lua, "", _G)

---What a generation is given before its script runs.
---@param generation table
---@param offered table name → value: what scripts find that is no field of their globals
---@return table { globals: name → value, and "string.rep" → value; names: function → name }
function fingerprint.given(generation, offered)
  local globals, names = {}, setmetatable({}, { __index = of_lua })
  for name, value in next, generation.env do
    globals[name] = value
    if type(value) == "table" and value ~= generation.env and name ~= "package" then
      for key, member in next, value do
        globals[name .. "." .. tostring(key)] = member
      end
      name_members(names, name .. ".", value)
    end
  end
  name_members(names, "", generation.env)
  name_members(names, "", offered)
  for name, part in next, generation.face do
    local mt = type(part) == "table" and debug_getmetatable(part)
    local members = mt and rawget(mt, "__index")
    if type(members) == "table" then
      name_members(names, "swarm." .. name .. ".", members)
    end
  end
  name_members(names, "swarm.", generation.face)
  return { globals = globals, names = names }
end

---What a script has added to its globals and to the libraries among them, or put in their place.
local function own_globals(generation, given)
  local own = {}
  for name, value in next, generation.env do
    local was = given.globals[name]
    if value ~= was then
      own[name] = value
    elseif type(value) == "table" and value ~= generation.env and name ~= "package" then
      for key, member in next, value do
        local full = name .. "." .. tostring(key)
        if given.globals[full] ~= member then
          own[full] = member
        end
      end
    end
  end
  return own
end

---Notes which workers name a global that has something of swarm.state in it, or names one.
---@param globals table name → value
---@param of function as in fingerprint.of_generation
local function note_state_users(generation, prints, globals, of)
  local texts, users, more = {}, {}, false
  for name, value in pairs(globals) do
    local text, lasts = of(value)
    texts[name], users[name] = text, lasts or nil
    more = more or lasts
  end
  while more do
    more = false
    for name, text in pairs(texts) do
      for user in pairs(users) do
        if not users[name] and find(text, user, 1, true) then
          users[name], more = true, true
          break
        end
      end
    end
  end
  for name, def in pairs(generation.workers) do
    for user in pairs(users) do
      local text = prints["worker " .. name]
      def.uses_state = def.uses_state or (text and find(text, user, 1, true) ~= nil) or false
    end
  end
end

-- Of a generation ---------------------------------------------------------------------------------

---@param generation table closed
---@param given table what it was given (fingerprint.given)
---@return table prints what is named ("worker count", "role reader", "main", …) → its text
---@return table around the same of what is told only where no definition has changed
---@return boolean blind there is something that could not be looked into
function fingerprint.of_generation(generation, given)
  local prints, around, blind = {}, {}, false
  local lasting = states.paths(generation.line)

  local function of(...)
    local out = {}
    local walk = { n = 0, seen = {}, lasting = lasting, names = given.names }
    walk.blind, walk.lasts = false, false
    for i = 1, select("#", ...) do
      print_of((select(i, ...)), walk, out)
    end
    blind = blind or walk.blind
    return concat(out, "\n"), walk.lasts, walk.blind
  end

  for _, kind in pairs { "worker", "role", "layer", "command", "pool" } do
    for name, fields in pairs(generation.given[kind]) do
      local text, lasts, is_blind = of(fields)
      local def = kind == "worker" and generation.workers[name]
      if def then -- else it is wrong, as check tells
        def.uses_state, def.is_blind = lasts, is_blind
        text = def.code and text .. "\n" .. def.code or text
      end
      prints[kind .. " " .. name] = text
    end
  end
  if generation.main then
    prints.main = of(generation.main.fn, generation.main.budget)
  end
  local hooks = {}
  for i = 1, #generation.hooks do
    local hook = generation.hooks[i]
    hooks[i] = of(hook.kind, hook.select, hook.fn)
  end
  for i = 1, #generation.uses do
    hooks[#hooks + 1] = of(generation.uses[i].name, generation.uses[i].options)
  end
  local spawn_hook = generation.spawn_hook
  if spawn_hook then
    hooks[#hooks + 1] = of(spawn_hook.before, spawn_hook.after)
  end
  if generation.operator_kind then
    prints.operator_kind = generation.operator_kind
  end
  if #hooks > 0 then
    prints.hooks = concat(hooks, "\n")
  end
  local globals = own_globals(generation, given)
  if next(globals) ~= nil then
    prints.globals = of(globals)
    if next(lasting) ~= nil then
      note_state_users(generation, prints, globals, of)
    end
  end
  for _, kind in pairs { "on_reload", "on_dispose" } do
    if #generation[kind] > 0 then
      around[kind] = of(generation[kind])
    end
  end
  for name, module in pairs(generation.modules) do
    if given.globals[name] == nil and name ~= "swarm" and name ~= "_G" then
      around["module " .. name] = of(module)
    end
  end
  return prints, around, blind
end

return fingerprint
