-- The environment of a generation. Guarded (the default): an allow-list, with library tables that
-- are the generation's own, so that nothing a script changes reaches the host or another
-- generation. Trusted (--trust): Lua as it is. Both get coroutines that pass our yields through,
-- and a `require` that is ours.
local bridge = require "swarm.bridge"
local coroutines = require "swarm.coroutines"
local clock = require "swarm.clock"
local errors = require "swarm.errors"
local handles = require "swarm.handle"
local log = require "swarm.log"
local names = require "swarm.names"
local S = require "swarm.scheduler"
local Scope = require "swarm.scope"

local real = _G
local real_require, real_loadstring, real_rawset = require, loadstring, rawset
local os_time, os_date, os_clock = os.time, os.date, os.clock
local type, pairs, setmetatable, tostring, select = type, pairs, setmetatable, tostring, select
local sub, find, gsub, match, format = string.sub, string.find, string.gsub, string.match, string.format
local byte, concat, floor = string.byte, table.concat, math.floor

local sandbox = {
  trust = false,
  lua_path = {}, -- further folders (or templates with ?) where modules are looked for
}

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

-- Chunks --------------------------------------------------------------------------------------------

-- Syntax that newer Luas have, by what stands in the line that did not parse.
local NEWER = {
  { "//", "`//` is Lua 5.3: write math.floor(a / b)" },
  { "<%s*const%s*>", "`<const>` is Lua 5.4: leave it out" },
  { "<%s*close%s*>", "`<close>` is Lua 5.4: close it yourself, or use swarm.shield in a clean-up" },
  { "&&", "`&&` is not Lua: write `and`" },
  { "||", "`||` is not Lua: write `or`" },
  { "<<", "`<<` is Lua 5.3: write bit.lshift(a, n)" },
  { ">>", "`>>` is Lua 5.3: write bit.rshift(a, n)" },
  { "!=", "`!=` is not Lua: write `~=`" },
  { "[%+%-%*/]=", "there is no assignment such as `+=`: write a = a + b" },
  { "&", "`&` is Lua 5.3: write bit.band(a, b)" },
  { "|", "`|` is Lua 5.3: write bit.bor(a, b)" },
  { "~[^=]", "`~` is Lua 5.3: write bit.bxor(a, b) or bit.bnot(a)" },
  { "%f[%w_]continue%f[^%w_]", "there is no `continue`: write `goto continue` and put `::continue::` before `end`" },
}

local function syntax_hint(source, problem)
  local number = tonumber(match(problem, ":(%d+): "))
  if not number then
    return ""
  end
  local n = 0
  for line in (source .. "\n"):gmatch "(.-)\n" do
    n = n + 1
    if n == number then
      line = gsub(line, "%-%-.*", "")
      line = gsub(gsub(line, '"[^"]*"', '""'), "'[^']*'", "''")
      for i = 1, #NEWER do
        if find(line, NEWER[i][1]) then
          return " (" .. NEWER[i][2] .. "; swarm-host runs LuaJIT, which is Lua 5.1 with goto)"
        end
      end
    end
  end
  return ""
end

---Compiles text, never bytecode.
---@return function? chunk, string? problem
local function compile(source, chunkname, env)
  if sub(source, 1, 3) == "\239\187\191" then
    source = sub(source, 4) -- an editor's byte order mark
  end
  if byte(source, 1) == 27 then
    return nil, gsub(chunkname, "^[@=]", "") .. ":1: this is Lua bytecode; only source text is loaded"
  end
  if byte(source, 1) == 35 then
    source = "--" .. source -- a `#!` line
  end
  local chunk, problem = real_loadstring(source, chunkname)
  if not chunk then
    return nil, problem .. syntax_hint(source, problem)
  end
  if env then
    setfenv(chunk, env)
  end
  return chunk
end

---Compiles a script or module, or raises a load error that names its file and line.
function sandbox.compile_file(source, path, env)
  local chunk, problem = compile(source, "@" .. path, env)
  if not chunk then
    local where = match(problem, "^([^\n]-:%d+): ")
    return error(errors.new("load_error", problem, { where = where or path, traceback = "" }), 0)
  end
  return chunk
end

-- require -------------------------------------------------------------------------------------------

-- Modules of LuaJIT's own that are safe to hand out in the guarded tier.
local SAFE_MODULES = { ["table.new"] = true, ["table.clear"] = true }

local function candidates(name, script_dir)
  local path = gsub(name, "%.", "/")
  local list = {}
  local roots = { "", "lua/", "lua_modules/share/lua/5.1/" }
  for i = 1, #roots do
    list[#list + 1] = script_dir .. roots[i] .. path .. ".lua"
    list[#list + 1] = script_dir .. roots[i] .. path .. "/init.lua"
  end
  for i = 1, #sandbox.lua_path do
    local template = sandbox.lua_path[i]
    if find(template, "?", 1, true) then
      list[#list + 1] = (gsub(template, "%?", (gsub(path, "%%", "%%%%"))))
    else
      template = gsub(template, "/*$", "/")
      list[#list + 1] = template .. path .. ".lua"
      list[#list + 1] = template .. path .. "/init.lua"
    end
  end
  return list
end

local function wait_for_loader(entry, me, name)
  if entry.worker == me then
    return errors.throw(
      "load_error",
      format("module %q requires itself, by way of %s", name, concat(entry.chain, " -> "))
    )
  end
  S.push_back(entry.waiters, me)
  local parked = S.park(me, { what = "module " .. name .. " to load" })
  if me.queue then
    S.remove(me)
  end
  if me.scope.cancel and me.scope.cancel ~= Scope.LOADING then
    Scope.raise(me)
  end
  return parked
end

---A `require` for one generation: modules beside the script first, then where --lua-path says.
local function make_require(generation, env, loaded)
  local loading, stack = {}, {}
  local function require(name)
    if type(name) ~= "string" then
      return errors.throw("invalid_argument", "require takes a module's name, and got " .. names.show(name))
    end
    local me = S.current
    while true do
      local module = loaded[name]
      if module ~= nil then
        return module
      elseif not loading[name] then
        break
      end
      stack[#stack + 1] = name
      loading[name].chain = { unpack(stack) }
      wait_for_loader(loading[name], me, name)
    end
    if SAFE_MODULES[name] then
      loaded[name] = real_require(name)
      return loaded[name]
    end
    local places = candidates(name, generation.script_dir)
    local entry = { worker = me, waiters = { head = nil, tail = nil }, chain = {} }
    loading[name] = entry
    stack[#stack + 1] = name
    local ok, result = pcall(function()
      local found, source = bridge.request("files", { op = "first", paths = places })
      if not found then
        if sandbox.trust then
          return real_require(name)
        end
        local hint = real[name] ~= nil and type(real[name]) == "table"
            and "; " .. name .. " is not part of guarded scripts: use what swarm offers, or run with --trust"
          or ""
        return errors.throw(
          "load_error",
          format("module %q not found%s; tried:\n  ", name, hint) .. concat(places, "\n  "),
          { name = name }
        )
      end
      generation.files[#generation.files + 1] = found
      return sandbox.compile_file(source, found, env)(name)
    end)
    stack[#stack] = nil
    loading[name] = nil
    S.ready_all(entry.waiters)
    if not ok then
      return error(result, 0)
    end
    if result == nil then
      result = loaded[name] == nil and true or loaded[name]
    end
    loaded[name] = result
    return result
  end
  return require
end

-- The guarded environment ------------------------------------------------------------------------------

local ALLOWED = {
  "assert", "error", "getmetatable", "ipairs", "next", "pairs", "pcall", "rawequal", "rawget", "select",
  "setmetatable", "tonumber", "tostring", "type", "unpack", "xpcall", "_VERSION",
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
      return errors.throw(
        "unknown_name",
        name .. "." .. tostring(key) .. " is not part of guarded scripts"
          .. (hint and ": use " .. hint or "") .. ", or run with --trust",
        { name = name .. "." .. tostring(key) }
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

---load for scripts: text only, in the script's own environment unless it names another.
local function make_load(env)
  return function(source, chunkname, mode, chunk_env)
    if type(source) == "function" then
      local parts = {}
      while true do
        local part = source()
        if part == nil or part == "" then
          break
        elseif type(part) ~= "string" then
          return nil, "the reader function must return strings"
        end
        parts[#parts + 1] = part
      end
      source = concat(parts)
    elseif type(source) ~= "string" then
      return errors.throw("invalid_argument", "load takes text or a function, and got " .. names.show(source))
    end
    if mode == "b" then
      return nil, "attempt to load a text chunk (mode is 'b')"
    end
    chunkname = chunkname ~= nil and tostring(chunkname) or source
    if sub(chunkname, 1, 7) == "=swarm/" then
      chunkname = "=" .. chunkname -- a script's code never passes for the host's
    end
    return compile(source, chunkname, chunk_env == nil and env or chunk_env)
  end
end

local function guarded_rawset(t, key, value)
  if handles.is(t) then
    return handles.newindex(t, key)
  end
  return real_rawset(t, key, value)
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
  local frames = errors.traceback(co)
  return (message and message .. "\n" or "") .. "stack traceback:\n" .. frames
end

local function collect(what)
  if what == nil or what == "collect" or what == "count" or what == "step" then
    return collectgarbage(what)
  end
  return errors.throw("invalid_argument", "collectgarbage takes \"collect\", \"count\" or \"step\" in guarded scripts")
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
  env.math = copy_of(math)
  env.bit = copy_of(bit)
  env.os = guarded_library("os", { time = os_time_now, date = date, clock = os_clock, difftime = os.difftime }, {
    execute = "swarm.exec", getenv = "swarm.env", remove = "swarm.fs.remove", rename = "swarm.fs.move",
    exit = "the return of swarm.main", tmpname = "swarm.fs.write with a name of your own",
  })
  env.io = guarded_library("io", { write = log.write_out, stderr = { write = log.write_err } }, {
    open = "swarm.fs.read", read = "swarm.input or swarm.args", lines = "swarm.fs.read", popen = "swarm.exec",
    stdout = "io.write or print", input = "swarm.fs.read", output = "swarm.fs.write",
  })
  env.debug = guarded_library("debug", { traceback = traceback }, {})
  return env
end

local function trusted(env)
  setmetatable(env, { __index = real })
  env.os = setmetatable({ time = os_time_now, date = date }, { __index = os })
  env.io = setmetatable({ write = log.write_out, stderr = { write = log.write_err } }, { __index = io })
  env.load = function(source, chunkname, mode, chunk_env)
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
function sandbox.environment(generation, swarm)
  local env = {}
  local loaded = { swarm = swarm }
  if sandbox.trust then
    trusted(env)
  else
    guarded(env)
  end
  env._G = env
  env.swarm = swarm
  env.print = log.print
  env.coroutine = copy_of(coroutines)
  env.require = make_require(generation, env, loaded)
  env.package = { loaded = loaded }
  for _, name in ipairs { "string", "table", "math", "bit", "coroutine", "os", "io", "debug" } do
    loaded[name] = env[name]
  end
  loaded._G = env
  return env
end

return sandbox
