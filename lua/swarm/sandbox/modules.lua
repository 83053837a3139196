-- `require` for scripts, in Lua, so that a module may wait while it loads. Where it looks is told
-- by searchers.lua.
local arguments = require "swarm.ground.arguments"
local cancelling = require "swarm.scope.cancel"
local errors = require "swarm.ground.errors"
local frames = require "swarm.ground.frames"
local S = require "swarm.scheduler.scheduler"
local searchers = require "swarm.sandbox.searchers"
local waiting = require "swarm.scope.waiting"

local real = _G
local real_modules, preloaded = package.loaded, package.preload
local type, error, xpcall = type, error, xpcall
local find, format = string.find, string.format
local concat = table.concat

local modules = {
  trust = false,
  exit = nil, -- kernel: ends the process, for trusted scripts
}

---Raises where waiting for `entry` would never end: the worker that loads it waits, by way of the
---modules it is in the middle of, for one that `me` is in the middle of.
local function check_cycle(loading, innermost, entry, me)
  local chain, at = {}, entry
  while at do
    chain[#chain + 1] = at.name
    local inner = innermost[at.worker]
    if at.worker == me then
      local path = {}
      while inner ~= at do
        path[#path + 1] = inner.name
        inner = inner.outer
      end
      for i = #path, 1, -1 do
        chain[#chain + 1] = path[i]
      end
      return errors.throw(
        "load_error",
        format("module %q requires itself, by way of ", entry.name)
          .. concat(chain, " -> ")
          .. " -> "
          .. entry.name
      )
    end
    at = inner and loading[inner.waits_for]
  end
end

local function wait_for_loader(entry, me, mine)
  if mine then
    mine.waits_for = entry.name
  end
  local what = { what = "module " .. entry.name .. " to load" }
  local parked = waiting.park_in(me, entry.waiters, what)
  if mine then
    mine.waits_for = nil
  end
  cancelling.may_request(me)
  if not parked then
    waiting.barred("require")
  end
end

-- C modules that many look for, and what does for them in a guarded script.
local IN_C = {
  cjson = "swarm.json does",
  lfs = "swarm.fs does",
  lpeg = "LuLPeg does, which is written in Lua",
  posix = "swarm.fs, swarm.env and swarm.exec do",
  socket = "swarm.http does",
  ["cjson.safe"] = "swarm.json does",
  ["ssl.https"] = "swarm.http does",
}

local function hint_of(name)
  if modules.trust then
    return ""
  elseif real_modules[name] or preloaded[name] or real[name] then
    return "; it is not part of guarded scripts: use what swarm offers, or run with --trust"
  end
  local instead = IN_C[name]
  return instead and "; it is a C module, and guarded scripts load none: " .. instead or ""
end

local function not_found(name, places)
  local hint = hint_of(name)
  return errors.throw(
    "load_error",
    format("module %q not found%s; tried:", name, hint) .. places,
    { unknown = name }
  )
end

---@param ask table the searchers, in order
local function load_module(name, ask)
  local places = {}
  for i = 1, #ask do
    local found = ask[i](name)
    if type(found) == "function" then
      return found(name)
    elseif type(found) == "string" then
      places[#places + 1] = found
    end
  end
  return not_found(name, concat(places))
end

---`require` and `package` of one generation.
---@param generation table
---@param env table its globals
---@param loaded table name → module
function modules.offer(generation, env, loaded)
  local package, ask
  if modules.trust then
    package = searchers.trusted(generation, env, loaded)
  else
    package, ask = searchers.guarded(generation, env, loaded)
  end
  local loading = {} -- name → { name, worker, outer, waiters, waits_for }
  local innermost = {} -- worker → the entry that it is in the middle of
  local function require(name)
    if type(name) ~= "string" or name == "" or find(name, "%z") then
      return arguments.wrong("require takes a module's name", name)
    elseif not modules.trust and (find(name, "/", 1, true) or find(name, "^%.")) then
      -- Dots become slashes: it could name a file that is nowhere near the script.
      local message = format("module %q not found: a name has dots between its folders, ", name)
        .. 'such as "lib.text", and none in front'
      return errors.throw("load_error", message, { name = name })
    end
    local me = S.current
    while not loaded[name] and loading[name] do
      check_cycle(loading, innermost, loading[name], me)
      wait_for_loader(loading[name], me, innermost[me])
    end
    local module = loaded[name]
    if module then
      return module
    end
    loaded[name] = nil -- false: load it anew
    local outer = innermost[me]
    local entry = {
      name = name,
      worker = me,
      outer = outer,
      waiters = { head = nil, tail = nil },
      waits_for = nil,
    }
    loading[name], innermost[me] = entry, entry
    local ok, result = xpcall(load_module, frames.passing, name, ask or package.loaders)
    loading[name], innermost[me] = nil, outer
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
  env.require, env.package = require, package
  if modules.trust then
    loaded.package = package
  end
end

return modules
