-- The guarded tier, the default: an allow-list, with library tables that are the generation's own,
-- so that nothing a script changes reaches the host or another generation.
local addresses = require "swarm.values.addresses"
local arguments = require "swarm.ground.arguments"
local chunks = require "swarm.sandbox.chunks"
local closed = require "swarm.ground.closed"
local environment_variable = require "swarm.outside.env"
local errors = require "swarm.ground.errors"
local frames = require "swarm.ground.frames"
local fs = require "swarm.outside.fs"
local globals = require "swarm.sandbox.globals"
local libraries = require "swarm.sandbox.libraries"
local log = require "swarm.events.log"
local random = require "swarm.ground.random"
local spelling = require "swarm.ground.spelling"
local streams = require "swarm.sandbox.streams"
local strings = require "swarm.sandbox.strings"
local whole_files = require "swarm.sandbox.whole_files"

local real = _G
local real_rawset = rawset
local os_clock = os.clock
local type, pairs, setmetatable, tostring, select = type, pairs, setmetatable, tostring, select
local getmetatable = getmetatable
local sub = string.sub
local copy_of = libraries.copy_of

local ALLOWED = {
  "assert",
  "error",
  "ipairs",
  "next",
  "pairs",
  "pcall",
  "rawequal",
  "rawget",
  "select",
  "tonumber",
  "tostring",
  "type",
  "unpack",
  "xpcall",
  "_VERSION",
}

-- What a library of Lua's lacks here: what to use instead, or "" ----------------------------------

local OS = {
  execute = "swarm.exec",
  exit = "the return of swarm.main",
  setlocale = "",
}
local IO = {
  read = "swarm.input or swarm.args",
  input = "swarm.input",
  tmpfile = "swarm.fs.temp_dir",
}
local DEBUG = {}
for _, name in pairs {
  "debug",
  "getlocal",
  "setlocal",
  "setupvalue",
  "upvaluejoin",
  "getregistry",
  "setmetatable",
  "getfenv",
  "setfenv",
  "gethook",
} do
  DEBUG[name] = ""
end

---A library where a name that Lua has, and a guarded script has not, raises when it is called:
---libraries keep such names at their top and never call them. What it is asked for to find out
---whether it is there is nil; a name that is nearly one of its own is told.
local function guarded_library(name, members, instead)
  local refused = {}
  for key, hint in pairs(instead) do
    local full = name .. "." .. key
    local instead_of_it = hint ~= "" and ": use " .. hint or ""
    refused[key] = function()
      local text = full .. " is not part of guarded scripts" .. instead_of_it
      return closed.throw(text .. ", or run with --trust", full)
    end
  end
  return setmetatable(members, {
    __index = function(_, key)
      local near = refused[key] == nil and spelling.hint(key, members, name .. ".") or ""
      if near ~= "" then
        return closed.throw(name .. "." .. tostring(key) .. " does not exist" .. near, key)
      end
      return refused[key]
    end,
  })
end

---load for scripts: text only, in the script's own environment unless it names another.
local function make_load(env)
  return function(source, chunkname, mode, chunk_env)
    if type(source) == "function" then
      local text, problem = libraries.read_all(source)
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
  ["swarm.globals"] = true,
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

---os.tmpname: the name of a file that nobody has, and that is there.
local function tmpname()
  local name = (environment_variable "TMPDIR" or "/tmp") .. "/lua_" .. random.uuid()
  fs.write(name, "")
  return name
end

local function of_os()
  return guarded_library("os", {
    time = libraries.time,
    date = libraries.date,
    clock = os_clock,
    difftime = os.difftime,
    getenv = environment_variable,
    remove = function(path)
      return whole_files.try(fs.remove, path)
    end,
    rename = function(from, to)
      return whole_files.try(fs.move, from, to)
    end,
    tmpname = tmpname,
  }, OS)
end

local function of_io()
  local members = streams.library(whole_files.open)
  members.lines, members.popen = whole_files.lines, whole_files.popen
  members.stdin = streams.no_input()
  return guarded_library("io", members, IO)
end

---loadfile: text of a file that the script may read.
---@param load function as the script has it
local function make_loadfile(load)
  return function(path, mode, chunk_env)
    local source, problem = whole_files.try(fs.read, path)
    if not source then
      return nil, "cannot open " .. problem
    end
    return load(source, "@" .. path, mode, chunk_env)
  end
end

local function make_dofile(loadfile)
  return function(path)
    local chunk, problem = loadfile(path)
    if not chunk then
      return errors.throw("failed", problem)
    end
    return chunk()
  end
end

---Fills the globals of a generation.
---@param env table
---@param offered table name → value: what is there without being a field of `env`
return function(env, offered)
  for i = 1, #ALLOWED do
    env[ALLOWED[i]] = real[ALLOWED[i]]
  end
  env.rawset, env.print = guarded_rawset, log.print
  env.load = make_load(env)
  env.loadstring = env.load
  env.collectgarbage = collect
  env.string = copy_of(string, { dump = true })
  strings.hide_addresses()
  env.tostring, env.string.format = addresses.tostring, addresses.format
  env.table = copy_of(table)
  env.table.insert = guarded_insert
  env.table.move = guarded_move
  env.math = copy_of(math)
  env.bit = copy_of(bit)
  env.os, env.io = of_os(), of_io()
  env.getmetatable, env.setmetatable = globals.guard(env, offered)
  env.debug = guarded_library("debug", {
    traceback = traceback,
    getinfo = globals.getinfo,
    getmetatable = env.getmetatable,
  }, DEBUG)
  offered.getfenv, offered.setfenv = globals.environments(env)
  offered.loadfile = make_loadfile(env.load)
  offered.dofile = make_dofile(offered.loadfile)
  offered.jit =
    { version = jit.version, version_num = jit.version_num, os = jit.os, arch = jit.arch }
end
