-- What a definition is made of, as text: two that behave alike have the same, wherever they stand
-- in their files. A function is its bytecode without line numbers, and what it closes over; a table
-- its items. Taken as a generation is loaded, before anything it closes over has moved.
local frames = require "swarm.ground.frames"
local debug_getmetatable, getinfo, getupvalue = debug.getmetatable, debug.getinfo, debug.getupvalue
local type, pairs, pcall, tostring, next = type, pairs, pcall, tostring, next
local concat, sort, dump = table.concat, table.sort, string.dump

local fingerprint = {}

local MOST_ITEMS = 20000 -- of one definition; what lies behind them is not compared

local print_of

local function print_function(fn, walk, out)
  local info = getinfo(fn, "S")
  local ok, code = pcall(dump, fn, "sd") -- deterministic, without what only debuggers need
  if frames.is_host(info) or not ok then
    out[#out + 1] = "host function"
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
  if mt and rawget(mt, "__metatable") ~= nil then
    out[#out + 1] = "host object" -- the face, a handle, a channel: nothing of the script's
    return
  end
  local keys = {}
  for key in next, value do
    local kind = type(key)
    if kind == "string" or kind == "number" or kind == "boolean" then
      keys[#keys + 1] = key
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
  if mt then
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
    out[#out + 1] = kind == "number" and ("%.17g"):format(value)
      or kind == "boolean" and tostring(value)
      or kind
    return
  end
  local seen = walk.seen[value]
  if seen or walk.n >= MOST_ITEMS then
    out[#out + 1] = "#" .. tostring(seen)
    return
  end
  walk.n = walk.n + 1
  walk.seen[value] = walk.n
  if kind == "function" then
    return print_function(value, walk, out)
  end
  return print_table(value, walk, out)
end

---@return string
local function of(...)
  local out, walk = {}, { n = 0, seen = {} }
  for i = 1, select("#", ...) do
    print_of((select(i, ...)), walk, out)
  end
  return concat(out, "\n")
end

---@param generation table closed
---@param standard table name → true: the globals that are not the script's
---@return table what is named ("worker count", "role reader", "main", …) → its text
function fingerprint.of_generation(generation, standard)
  local prints = {}
  for _, kind in pairs { "worker", "role", "layer", "command" } do
    for name, fields in pairs(generation.given[kind]) do
      prints[kind .. " " .. name] = of(fields)
    end
  end
  if generation.main then
    prints.main = of(generation.main.fn)
  end
  local hooks = {}
  for i = 1, #generation.hooks do
    local hook = generation.hooks[i]
    hooks[i] = of(hook.kind, hook.select, hook.fn)
  end
  for i = 1, #generation.uses do
    hooks[#hooks + 1] = of(generation.uses[i].name, generation.uses[i].options)
  end
  if #hooks > 0 then
    prints.hooks = concat(hooks, "\n")
  end
  local globals = {}
  for name, value in pairs(generation.env) do
    if not standard[name] then
      globals[name] = value
    end
  end
  if next(globals) ~= nil then
    prints.globals = of(globals)
  end
  return prints
end

return fingerprint
