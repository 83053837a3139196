-- Ways out of the guarded tier. Each attempt returns what it got hold of, if anything; nothing may.
-- tests/host/test_escapes.py runs the same in a trusted script, where many of them succeed: so they
-- can fail.
-- luacheck: ignore 122 142 143 512
-- What is called wrongly here, or is not there, is so on purpose.
---@diagnostic disable: access-invisible, await-in-sync, duplicate-require, missing-parameter
---@diagnostic disable: param-type-mismatch, undefined-field, unresolved-require
local attempts = require "attempts"
local swarm = require "swarm"
local as, attempt = attempts.as, attempts.attempt

---Calls a function of a library with arguments that are right for it, and says whether it worked.
local function works(name, ...)
  local library, field = name:match "^(%w+)%.(%w+)$"
  local fn = rawget(_G, library) and _G[library][field]
  if not fn then
    return nil
  end
  local ok, got = pcall(fn, ...)
  return ok and got ~= nil and got or nil
end

local function nothing() end

local upvalue = {}
local function with_upvalue()
  return upvalue
end

local ADDRESS = "0x%x*[1-9a-f]%x%x%x%x%x" -- an object's number has fewer digits that say anything

-- Globals -----------------------------------------------------------------------------------------

for _, name in ipairs {
  "ffi",
  "lupa",
  "python",
  "jit.util",
  "jit.opt",
  "string.buffer",
  "thread.exdata",
} do
  attempt("globals", "require " .. name, function()
    return require(name)
  end)
  attempt("globals", "package.loaded has " .. name, function()
    return package.loaded[name]
  end)
end

for _, name in ipairs { "python", "lupa", "ffi", "newproxy", "_SWARM", "_KERNEL" } do
  attempt("globals", "rawget " .. name, function()
    return rawget(_G, name)
  end)
end

attempt("globals", "the host's modules by require", function()
  return require "swarm.scheduler.scheduler"
end)

attempt("globals", "the host's modules in package.loaded", function()
  for name in pairs(package.loaded) do
    if name:match "^swarm%." then
      return name
    end
  end
end)

attempt("globals", "the host's modules by preload", function()
  return package.preload["swarm.doors.python"]
end)

attempt("globals", "a searcher that finds the host's", function()
  for _, searcher in ipairs(package.loaders or package.searchers or {}) do
    local found = searcher "swarm.scheduler.scheduler"
    if type(found) == "function" then
      return found
    end
  end
end)

attempt("globals", "getfenv of a level beyond the script", function()
  for level = 0, 30 do
    local ok, env = pcall(getfenv, level)
    if
      ok
      and env ~= _G
      and type(env) == "table"
      and rawget(env, "debug") ~= rawget(_G, "debug")
    then
      return env
    end
  end
end)

for name, fn in pairs {
  print = print,
  spawn = swarm.spawn,
  pcall = pcall,
  format = string.format,
  require = require,
  join = swarm.join,
} do
  attempt("globals", "getfenv of " .. name, function()
    local env = getfenv(fn)
    return env ~= _G and env
  end)
  attempt("globals", "setfenv of " .. name, function()
    setfenv(fn, {})
    return "its environment is set"
  end)
end

attempt("globals", "setfenv of the thread", function()
  setfenv(0, {})
  return "the thread's environment is set"
end)

attempt("globals", "module makes globals of the host's", function()
  return module and module("escaped", package.seeall)
end)

-- debug -------------------------------------------------------------------------------------------

attempt("debug", "the registry", function()
  return works "debug.getregistry"
end)

attempt("debug", "an upvalue of the host's", function()
  return works("debug.getupvalue", swarm.spawn, 1)
end)

attempt("debug", "an upvalue is set", function()
  return works("debug.setupvalue", with_upvalue, 1, {}) and upvalue
end)

attempt("debug", "upvalues are joined", function()
  local ok = pcall(debug.upvaluejoin, with_upvalue, 1, nothing, 1)
  return ok and debug.upvaluejoin
end)

attempt("debug", "an upvalue's identity", function()
  return works("debug.upvalueid", with_upvalue, 1)
end)

attempt("debug", "a hook", function()
  local ok = pcall(debug.sethook, nothing, "l")
  return ok and debug.gethook and debug.gethook() or nil
end)

attempt("debug", "locals of frames above", function()
  for level = 2, 30 do
    local ok, name, value = pcall(debug.getlocal, level, 1)
    if ok and name then
      return value or name
    end
  end
end)

attempt("debug", "a local is set", function()
  local mine = "old"
  pcall(debug.setlocal, 1, 1, "new")
  return mine == "new"
end)

attempt("debug", "the metatable of strings is set", function()
  local ok = pcall(debug.setmetatable, "", nil)
  return ok and "strings have another metatable"
end)

attempt("debug", "functions of frames above that are not the author's", function()
  for level = 0, 40 do
    local ok, info = pcall(debug.getinfo, level, "f")
    if ok and info and info.func and info.func ~= debug.getinfo(1, "f").func then
      local env_ok, env = pcall(getfenv, info.func)
      if env_ok and env ~= _G then
        return env
      end
    end
  end
end)

attempt("debug", "the source of the host's functions", function()
  local ok, info = pcall(debug.getinfo, swarm.spawn, "S")
  return ok and info and info.source:match "/" and info.source
end)

-- Metatables --------------------------------------------------------------------------------------

attempt("metatables", "the string library of the host's by a string's metatable", function()
  local mt = getmetatable ""
  return type(mt) == "table" and mt.__index
end)

attempt("metatables", "a string's metatable is changed", function()
  local mt = getmetatable ""
  if type(mt) == "table" then
    mt.__index = function()
      return "mine"
    end
    return ("x").anything
  end
end)

for name, make in pairs {
  ["a handle's"] = function()
    return swarm.spawn(swarm.yield)
  end,
  ["a channel's"] = swarm.channel,
  ["a lock's"] = swarm.lock,
  ["a semaphore's"] = function()
    return swarm.semaphore(1)
  end,
  ["an event's"] = swarm.event,
  ["a secret's"] = function()
    return swarm.secret "HOME"
  end,
  ["a file's"] = function()
    return swarm.file "x"
  end,
  ["null's"] = function()
    return swarm.null
  end,
  ["the face's"] = function()
    return swarm
  end,
  ["the fs's"] = function()
    return swarm.fs
  end,
  ["an error's"] = function()
    return select(2, pcall(swarm.join, "T-999999"))
  end,
} do
  attempt("metatables", name .. " is had", function()
    local mt = getmetatable(make())
    return type(mt) == "table" and mt
  end)
  attempt("metatables", name .. " is replaced", function()
    local object = make()
    setmetatable(object, {})
    return "replaced"
  end)
end

attempt("metatables", "rawset into a handle makes a field", function()
  local h = swarm.spawn(swarm.yield)
  pcall(rawset, h, "status", "pass")
  pcall(rawset, h, "join", nothing)
  return swarm.join(h) ~= true and "it never ran"
end)

attempt("metatables", "the face is written", function()
  swarm.spawn = nothing
  return "written"
end)

attempt("metatables", "the face is written raw, and others see it", function()
  pcall(rawset, swarm, "escaped", true)
  ---@diagnostic disable-next-line: undefined-field
  return require("swarm") ~= swarm and require("swarm").escaped
end)

-- Bytecode ----------------------------------------------------------------------------------------

local BYTECODE = "\27LJ\2\0\6=x\0\1\2\0\0\0\2L\0\2\0\0"

attempt("bytecode", "load", function()
  return load(BYTECODE)
end)

attempt("bytecode", "load with mode b", function()
  return load(BYTECODE, "x", "b")
end)

attempt("bytecode", "loadstring", function()
  return loadstring and loadstring(BYTECODE)
end)

attempt("bytecode", "a reader in pieces", function()
  local at = 0
  return load(function()
    at = at + 1
    return at <= #BYTECODE and BYTECODE:sub(at, at) or nil
  end)
end)

attempt("bytecode", "a reader whose first piece is empty text", function()
  local pieces = { " ", BYTECODE }
  return load(function()
    return table.remove(pieces, 1)
  end)
end)

attempt("bytecode", "a file", function()
  local dir = swarm.fs.temp_dir()
  swarm.fs.write(dir .. "/x.lua", BYTECODE)
  return loadfile and loadfile(dir .. "/x.lua")
end)

attempt("bytecode", "string.dump", function()
  return works("string.dump", nothing)
end)

attempt("bytecode", "dump as a method", function()
  return ("").dump
end)

attempt("bytecode", "load with the host's environment", function()
  local env = load("return getfenv and getfenv(1) or _G")()
  return env ~= _G and env
end)

-- Coroutines --------------------------------------------------------------------------------------

attempt("coroutines", "a yield of the host's own kind is resumed", function()
  local co = coroutine.create(function()
    return swarm.sleep(0)
  end)
  local _, got = coroutine.resume(co)
  return type(got) == "table" and got
end)

attempt("coroutines", "another worker's coroutine is resumed", function()
  local theirs
  local h = swarm.spawn(function()
    theirs = coroutine.running()
    swarm.sleep(1)
    return "theirs"
  end)
  swarm.sleep(0.1)
  local ok = theirs and coroutine.resume(theirs)
  return ok and h.status
end)

attempt("coroutines", "a host function is a coroutine's body, and waits there", function()
  local co = coroutine.wrap(swarm.fs.read)
  local got = co "no such file"
  return type(got) == "thread" and got
end)

attempt("coroutines", "yield outside of one's own", function()
  local got = coroutine.yield "x"
  return got
end)

attempt("coroutines", "a coroutine that outlives its worker acts for it", function()
  local co
  swarm.call(function()
    co = coroutine.wrap(function()
      coroutine.yield()
      return swarm.spawn(nothing)
    end)
    co()
  end)
  local h = co()
  return h and h:join() ~= true and h
end)

-- Strings -----------------------------------------------------------------------------------------

attempt("strings", "an address by %p", function()
  return string.format("%p", {}):match(ADDRESS)
end)

attempt("strings", "an address by tostring of a table", function()
  local text = tostring {}
  return text:match(ADDRESS)
end)

attempt("strings", "an address by tostring of a function", function()
  return tostring(nothing):match(ADDRESS)
end)

attempt("strings", "an address by tostring of a thread", function()
  return tostring(coroutine.create(nothing)):match(ADDRESS)
end)

attempt("strings", "an address by tostring of a builtin", function()
  return tostring(string.rep):match(ADDRESS)
end)

attempt("strings", "an address by a method of a string", function()
  return ("%s"):format {}:match(ADDRESS) or ("%p"):format "text":match(ADDRESS)
end)

attempt("strings", "an address by %s", function()
  return string.format("%s", {}):match(ADDRESS)
end)

attempt("strings", "an address in an error", function()
  local _, err = pcall(error, {})
  return type(err) == "string" and err:match(ADDRESS)
end)

attempt("strings", "an address in a failed worker's message", function()
  local _, err = swarm
    .spawn(function()
      error {}
    end)
    :join()
  return err.message:match(ADDRESS)
end)

attempt("strings", "methods that were taken away come back", function()
  return ("").dump or ("").buffer
end)

attempt("strings", "a method of one's own is everybody's", function()
  string.escaped = function()
    return true
  end
  local seen = ("").escaped
  string.escaped = nil
  return ("").escaped or (seen and nil)
end)

-- Finalizers --------------------------------------------------------------------------------------

attempt("finalizers", "newproxy", function()
  return newproxy and newproxy(true)
end)

attempt("finalizers", "__gc of a table runs", function()
  local ran = false
  setmetatable({}, {
    __gc = function()
      ran = true
    end,
  })
  collectgarbage()
  collectgarbage()
  return ran
end)

-- Require and paths -------------------------------------------------------------------------------

for _, name in ipairs {
  "/etc/passwd",
  "../escapes_spec",
  "..",
  ".",
  "",
  "a/b",
  "/tmp/x",
  "~root",
  "\0x",
  "x\0.lua",
} do
  attempt("require", ("a module called %q"):format(name), function()
    return require(name)
  end)
end

attempt("require", "package.path leads a worker without read_files elsewhere", function()
  return (
    as("bound", function()
      local before = package.path
      package.path = "/etc/?"
      local ok, got = pcall(require, "passwd")
      package.path = before
      return ok and tostring(got) or nil
    end)
  )
end)

attempt("require", "searchpath reads for a worker without read_files", function()
  return (
    as("nobody", function()
      return package.searchpath and package.searchpath("passwd", "/etc/?")
    end)
  )
end)

attempt("require", "a C module", function()
  package.cpath = "/usr/lib/?.so"
  return require "libm"
end)

attempts.prove()
