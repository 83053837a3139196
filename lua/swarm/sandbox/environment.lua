-- The environment of a generation. Guarded (the default): an allow-list, with library tables that
-- are the generation's own, so that nothing a script changes reaches the host or another
-- generation. Trusted (--trust): Lua as it is. Both get coroutines that pass our yields through,
-- and a `require` that is ours.
local arguments = require "swarm.ground.arguments"
local chunks = require "swarm.sandbox.chunks"
local clock = require "swarm.ground.clock"
local closed = require "swarm.ground.closed"
local coroutines = require "swarm.scheduler.coroutines"
local errors = require "swarm.ground.errors"
local frames = require "swarm.ground.frames"
local log = require "swarm.events.log"
local modules = require "swarm.sandbox.modules"
local S = require "swarm.scheduler.scheduler"

local real = _G
local real_rawset = rawset
local os_time, os_date, os_clock = os.time, os.date, os.clock
local type, pairs, setmetatable, tostring, select = type, pairs, setmetatable, tostring, select
local rawget, getmetatable, pcall = rawget, getmetatable, pcall
local sub, concat, floor = string.sub, table.concat, math.floor

local environment = {}

-- Strings are indexed through one metatable for the whole VM: what scripts reach through it must be
-- neither the host's `string` table nor a way to change it.
local string_methods = {}
for name, fn in pairs(string) do
  if name ~= "dump" then
    string_methods[name] = fn
  end
end
local string_metatable = debug.getmetatable ""
string_metatable.__index = string_methods
string_metatable.__metatable = "string"

-- A script that adds to its own `string` table finds it as a method too, and nobody else does.
setmetatable(string_methods, {
  __index = function(_, name)
    local me = S.current
    local env = me and (me.task.def.loading or me.task.def.generation).env
    local library = env and rawget(env, "string")
    return type(library) == "table" and rawget(library, name) or nil
  end,
})

-- The guarded environment -------------------------------------------------------------------------

local ALLOWED = {
  "assert",
  "error",
  "getmetatable",
  "ipairs",
  "next",
  "pairs",
  "pcall",
  "rawequal",
  "rawget",
  "select",
  "setmetatable",
  "tonumber",
  "tostring",
  "type",
  "unpack",
  "xpcall",
  "_VERSION",
}

local function copy_of(library, left_out)
  local copy = {}
  for name, value in pairs(library) do
    if not (left_out and left_out[name]) then
      copy[name] = value
    end
  end
  return copy
end

---A library table that says what to use instead of what it lacks.
local function guarded_library(name, members, instead)
  return setmetatable(members, {
    __index = function(_, key)
      local hint = instead[key]
      local full = name .. "." .. tostring(key)
      local instead_of_it = hint and ": use " .. hint or ""
      return closed.throw(
        full .. " is not part of guarded scripts" .. instead_of_it .. ", or run with --trust",
        full
      )
    end,
  })
end

local function os_time_now(at)
  if at == nil then
    return floor(clock.wall())
  end
  return os_time(at)
end

local function date(fmt, at)
  return os_date(fmt, at or os_time_now())
end

---The text that a reader function gives; what it raises is a result of `load`, as Lua has it. It is
---called from Lua, not from within the compiler: it may wait.
---@return string? text, any problem
local function read_all(reader)
  local parts = {}
  while true do
    local ok, part = pcall(reader)
    if not ok then
      return nil, part
    elseif part == nil or part == "" then
      return concat(parts)
    elseif type(part) ~= "string" then
      return nil, "the reader function must return strings"
    end
    parts[#parts + 1] = part
  end
end

---load for scripts: text only, in the script's own environment unless it names another.
local function make_load(env)
  return function(source, chunkname, mode, chunk_env)
    if type(source) == "function" then
      local text, problem = read_all(source)
      if not text then
        return nil, problem
      end
      source = text
    elseif type(source) ~= "string" then
      return arguments.wrong("load takes text or a function", source)
    end
    if mode == "b" then
      return nil, "attempt to load a text chunk (mode is 'b')"
    end
    if chunk_env == nil then
      chunk_env = env
    elseif type(chunk_env) ~= "table" then
      return arguments.wrong("load takes a table of globals as its fourth argument", chunk_env)
    end
    local name = chunkname == nil and source or tostring(chunkname)
    if type(name) ~= "string" then
      return errors.throw("invalid_argument", "load: a __tostring returned a " .. type(name))
    end
    chunkname = name
    if sub(chunkname, 1, 7) == "=swarm/" then
      chunkname = "=" .. chunkname -- a script's code never passes for the host's
    end
    return chunks.compile(source, chunkname, chunk_env)
  end
end

-- The marks that metatables of the host show to scripts are "swarm" and "swarm.…". These are on
-- values that belong to who holds them; everything else of the host's is for reading.
local WRITABLE = {
  ["swarm.array"] = true,
  ["swarm.object"] = true,
  ["swarm.error"] = true,
  ["swarm.blockeds"] = true,
  ["swarm.http.headers"] = true,
  ["swarm.http.response"] = true,
}

local function check_writable(t, call)
  local mark = type(t) == "table" and getmetatable(t)
  if type(mark) ~= "string" or WRITABLE[mark] then
    return
  elseif mark == "swarm" or sub(mark, 1, 6) == "swarm." then
    local message = call .. ": a " .. mark .. " belongs to the host and cannot be written to"
    return errors.throw("unknown_name", message)
  end
end

local function guarded_rawset(t, key, value)
  check_writable(t, "rawset")
  return real_rawset(t, key, value)
end

-- table.insert and table.move write past __newindex, as rawset does.
local table_insert, table_move = table.insert, table.move
local function guarded_insert(t, ...)
  check_writable(t, "table.insert")
  return table_insert(t, ...)
end

local function guarded_move(from, first, last, at, to)
  check_writable(to == nil and from or to, "table.move")
  return table_move(from, first, last, at, to == nil and from or to)
end

local function traceback(...)
  local first = ...
  local co = type(first) == "thread" and first or nil
  local message
  if co then
    message = select(2, ...)
  else
    message = first
  end
  if message ~= nil and type(message) ~= "string" and type(message) ~= "number" then
    return message
  end
  return (message and message .. "\n" or "") .. "stack traceback:\n" .. frames.traceback(co)
end

local function collect(what)
  if what == nil or what == "collect" or what == "count" or what == "step" then
    return collectgarbage(what)
  end
  return errors.throw(
    "invalid_argument",
    'collectgarbage takes "collect", "count" or "step" in guarded scripts'
  )
end

local function guarded(env)
  for i = 1, #ALLOWED do
    env[ALLOWED[i]] = real[ALLOWED[i]]
  end
  env.rawset = guarded_rawset
  env.load = make_load(env)
  env.loadstring = env.load
  env.collectgarbage = collect
  env.string = copy_of(string, { dump = true })
  env.table = copy_of(table)
  env.table.insert = guarded_insert
  env.table.move = guarded_move
  env.math = copy_of(math)
  env.bit = copy_of(bit)
  local of_os = { time = os_time_now, date = date, clock = os_clock, difftime = os.difftime }
  env.os = guarded_library("os", of_os, {
    execute = "swarm.exec",
    getenv = "swarm.env",
    remove = "swarm.fs.remove",
    rename = "swarm.fs.move",
    exit = "the return of swarm.main",
    tmpname = "swarm.fs.write with a name of your own",
  })
  env.io = guarded_library("io", { write = log.write_out, stderr = { write = log.write_err } }, {
    open = "swarm.fs.read",
    read = "swarm.input or swarm.args",
    lines = "swarm.fs.read",
    popen = "swarm.exec",
    stdout = "io.write or print",
    input = "swarm.fs.read",
    output = "swarm.fs.write",
  })
  env.debug = guarded_library("debug", { traceback = traceback }, {})
  return env
end

---os.exit of a trusted script: what was said is handed over, and no process is left behind.
local function exit(status)
  if status == nil or status == true then
    status = 0
  elseif status == false then
    status = 1
  end
  if type(status) ~= "number" then
    return errors.throw("invalid_argument", "os.exit takes a number or a boolean")
  end
  modules.exit(status % 256)
end

local function trusted(env)
  setmetatable(env, { __index = real })
  local of_os = { time = os_time_now, date = date, exit = exit }
  env.os = setmetatable(of_os, { __index = os })
  local of_io = { write = log.write_out, stderr = { write = log.write_err } }
  env.io = setmetatable(of_io, { __index = io })
  env.load = function(source, chunkname, mode, chunk_env)
    if type(source) == "function" then
      local text, problem = read_all(source)
      if not text then
        return nil, problem
      end
      chunkname = chunkname == nil and "=(load)" or chunkname
      source = text
    end
    return load(source, chunkname, mode, chunk_env == nil and env or chunk_env)
  end
  env.loadstring = function(source, chunkname)
    return load(source, chunkname, "bt", env)
  end
  return env
end

---The globals of a generation.
---@param generation table
---@param swarm table the public face
function environment.make(generation, swarm)
  local env = {}
  generation.env = env
  local loaded = { swarm = swarm }
  generation.modules = loaded
  if modules.trust then
    trusted(env)
  else
    guarded(env)
  end
  env._G = env
  env.swarm = swarm
  env.print = log.print
  env.coroutine = copy_of(coroutines)
  env.require = modules.require_for(generation, env, loaded)
  env.package = { loaded = loaded }
  for _, name in ipairs { "string", "table", "math", "bit", "coroutine", "os", "io", "debug" } do
    loaded[name] = env[name]
  end
  loaded._G = env
  return env
end

return environment
