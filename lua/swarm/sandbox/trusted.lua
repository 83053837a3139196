-- The trusted tier (--trust): Lua as it is. What in plain Lua means the globals of the process
-- means the script's here; what is said goes out in the order of all that is said; and nothing that
-- a script does to strings takes their methods from the host.
local errors = require "swarm.ground.errors"
local frames = require "swarm.ground.frames"
local libraries = require "swarm.sandbox.libraries"
local log = require "swarm.events.log"
local modules = require "swarm.sandbox.modules"
local strings = require "swarm.sandbox.strings"

local real = _G
local real_load, real_loadfile, real_getfenv, real_setfenv = load, loadfile, getfenv, setfenv
local real_getmetatable, debug_getmetatable, debug_setmetatable =
  getmetatable, debug.getmetatable, debug.setmetatable
local debug_getfenv, debug_setfenv, getinfo = debug.getfenv, debug.setfenv, debug.getinfo
local type, pairs, select, tonumber, tostring = type, pairs, select, tonumber, tostring
local error, rawequal = error, rawequal
local find, gmatch, match = string.find, string.gmatch, string.match
local copy_of = libraries.copy_of

---os.exit: what was said is handed over, and no process is left behind.
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

local set_globals = setmetatable({}, { __mode = "k" }) -- globals → what setfenv(0, …) has set

---What getfenv(0) is: the globals of the running thread where it has its own, else the script's.
local function globals_now(env)
  local own = real_getfenv(0)
  return rawequal(own, real) and (set_globals[env] or env) or own
end

---print asks the script's tostring, as Lua's does.
local function printing(env)
  return function(...)
    local text_of = globals_now(env).tostring or tostring
    local texts, n = { ... }, select("#", ...)
    for i = 1, n do
      texts[i] = text_of(texts[i])
      if type(texts[i]) ~= "string" then
        return error("'tostring' must return a string to 'print'", 2)
      end
    end
    return log.print(unpack(texts, 1, n))
  end
end

-- Chunks ------------------------------------------------------------------------------------------

local function of_chunks(env)
  ---What is compiled has the script's globals unless others are named.
  function env.load(source, chunkname, mode, chunk_env)
    if type(source) == "function" then
      local text, problem = libraries.read_all(source)
      if not text then
        return nil, problem
      end
      chunkname = chunkname == nil and "=(load)" or chunkname
      source = text
    end
    return real_load(source, chunkname, mode, chunk_env == nil and globals_now(env) or chunk_env)
  end
  function env.loadstring(source, chunkname)
    return real_load(source, chunkname, "bt", globals_now(env))
  end
  function env.loadfile(path, mode, chunk_env)
    return real_loadfile(path, mode, chunk_env == nil and globals_now(env) or chunk_env)
  end
  function env.dofile(path)
    local chunk, problem = env.loadfile(path)
    if not chunk then
      return error(problem, 0)
    end
    return chunk()
  end
end

-- Environments ------------------------------------------------------------------------------------

---What getfenv and setfenv take, as they take it one frame further down.
local function level(of, call)
  local problem = "invalid level"
  of = type(of) == "string" and tonumber(of) or of
  if type(of) == "function" then
    return of
  elseif type(of) ~= "number" then
    problem = "number expected, got " .. type(of)
  elseif of >= 1 and getinfo(of + 2, "f") then
    return of + 1
  end
  return error("bad argument #1 to '" .. call .. "' (" .. problem .. ")", 3)
end

---getfenv and setfenv: the globals of the process are the script's.
local function of_environments(env)
  local of_host = setmetatable({}, { __mode = "k" }) -- function of the host's → its environment
  function env.getfenv(of)
    if of == 0 then
      return globals_now(env)
    end
    local found = real_getfenv(level(of == nil and 1 or of, "getfenv"))
    return rawequal(found, real) and globals_now(env) or found
  end
  function env.setfenv(of, own)
    if of == 0 then
      set_globals[env] = own
      return
    end
    local at = level(of, "setfenv")
    local info = getinfo(at, "Sf")
    if frames.is_host(info) then
      return error("'setfenv' cannot change environment of given object", 2)
    end
    return real_setfenv(info.func, own)
  end
  function env.debug.setfenv(of, own)
    if type(of) == "function" and frames.is_host(getinfo(of, "S")) then
      of_host[of] = own -- the host goes on with what it has
      return of
    end
    return debug_setfenv(of, own)
  end
  function env.debug.getfenv(of)
    local found = of_host[of] or debug_getfenv(of)
    return rawequal(found, real) and env or found
  end
end

---A field of the globals by its whole name, made where it is not there.
local function find_table(env, name)
  local at = env
  for part in gmatch(name, "[^.]+") do
    local inner = at[part]
    if inner == nil then
      inner = {}
      at[part] = inner
    elseif type(inner) ~= "table" then
      return nil
    end
    at = inner
  end
  return at
end

---module(name, …), as Lua 5.1 has it.
local function of_module(env, loaded)
  function env.module(name, ...)
    local module = loaded[name]
    if type(module) ~= "table" then
      module = find_table(env, name)
      if not module then
        return error("name conflict for module '" .. name .. "'", 2)
      end
      loaded[name] = module
    end
    if module._NAME == nil then
      module._M, module._NAME, module._PACKAGE = module, name, match(name, "^(.*%.)[^.]*$") or ""
    end
    real_setfenv(2, module)
    for i = 1, select("#", ...) do
      select(i, ...)(module)
    end
    return module
  end
end

-- Libraries ---------------------------------------------------------------------------------------

local files = debug.getmetatable(io.stdout).__index
local write_to, output, stdout, stderr = files.write, io.output, io.stdout, io.stderr

---Standard output and error are the host's to write, who else says things there too.
local function write(file, ...)
  if rawequal(file, stdout) then
    log.write_out(...)
  elseif rawequal(file, stderr) then
    log.write_err(nil, ...)
  else
    return write_to(file, ...)
  end
  return true
end

local function of_io()
  files.write = write
  local members = copy_of(io)
  function members.write(...)
    return write(output(), ...)
  end
  return members
end

---What is set on strings stays the script's business: see strings.lua.
local function of_strings(env)
  local own = strings.metatable(env)
  local now, index = own, nil
  function env.getmetatable(value)
    if type(value) == "string" then
      return now
    end
    return real_getmetatable(value)
  end
  function env.debug.getmetatable(value)
    if type(value) == "string" then
      return now
    end
    return debug_getmetatable(value)
  end
  function env.debug.setmetatable(value, metatable)
    if type(value) ~= "string" then
      return debug_setmetatable(value, metatable)
    end
    if rawequal(now, own) then
      index = own.__index
    end
    now = metatable
    if rawequal(now, own) then
      own.__index = index
    elseif now ~= nil then
      for key, member in pairs(metatable) do
        own[key] = member
      end
    end
    return true
  end
end

---Fills the globals of a generation.
---@param env table
---@param loaded table name → module, as package.loaded has it
return function(env, loaded)
  for name, value in pairs(real) do
    env[name] = value
  end
  for _, name in pairs { "string", "table", "math", "bit", "os", "debug" } do
    env[name] = copy_of(real[name])
  end
  env.os.time, env.os.date, env.os.exit = libraries.time, libraries.date, exit
  env.io = of_io()
  env.print = printing(env)
  of_chunks(env)
  of_environments(env)
  of_module(env, loaded)
  of_strings(env)
  for name, module in pairs(package.loaded) do
    if loaded[name] == nil and name ~= "string.buffer" and not find(name, "^swarm") then
      loaded[name] = module
    end
  end
end
