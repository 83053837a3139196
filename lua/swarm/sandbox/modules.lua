-- `require` for scripts, in Lua, so that a module may wait while it loads: modules beside the
-- script first, then where --lua-path says.
local arguments = require "swarm.ground.arguments"
local bridge = require "swarm.outside.bridge"
local cancelling = require "swarm.scope.cancel"
local chunks = require "swarm.sandbox.chunks"
local errors = require "swarm.ground.errors"
local frames = require "swarm.ground.frames"
local S = require "swarm.scheduler.scheduler"
local sources = require "swarm.outside.sources"
local waiting = require "swarm.scope.waiting"

local real, real_require = _G, require
local real_modules, preloaded = package.loaded, package.preload
local type, error, xpcall = type, error, xpcall
local dump, find, format, gsub = string.dump, string.find, string.format, string.gsub
local concat = table.concat

local modules = {
  trust = false,
  exit = nil, -- kernel: ends the process, for trusted scripts
  lua_path = {}, -- further folders (or templates with ?) where modules are looked for
}

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
  for i = 1, #modules.lua_path do
    local template = modules.lua_path[i]
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

local function not_found(name, places)
  local theirs = real_modules[name] or preloaded[name] or real[name]
  local hint = theirs
      and not modules.trust
      and "; it is not part of guarded scripts: use what swarm offers, or run with --trust"
    or ""
  return errors.throw(
    "load_error",
    format("module %q not found%s; tried:\n  ", name, hint) .. concat(places, "\n  "),
    { unknown = name }
  )
end

local function load_module(generation, env, name)
  if SAFE_MODULES[name] then
    return real_require(name)
  end
  local places = candidates(name, generation.script_dir)
  local found, source = bridge.request("files", { op = "first", paths = places })
  for i = 1, #places do
    if places[i] == found then
      break
    end
    sources.note(generation, "missing", places[i])
  end
  if not found then
    if modules.trust and (real_modules[name] or preloaded[name]) then
      return real_require(name)
    end
    return not_found(name, places)
  end
  sources.note(generation, "files", found)
  local chunk = chunks.compile_file(source, found, env)
  if generation.closed then
    generation.late[found] = dump(chunk, "sd") -- no loading tells whether it has changed
  end
  return chunk(name)
end

---A `require` for one generation: modules beside the script first, then where --lua-path says.
function modules.require_for(generation, env, loaded)
  local loading = {} -- name → { name, worker, outer, waiters, waits_for }
  local innermost = {} -- worker → the entry that it is in the middle of
  local function require(name)
    if type(name) ~= "string" or name == "" or find(name, "%z") then
      return arguments.wrong("require takes a module's name", name)
    elseif find(name, "/", 1, true) or find(name, "^%.") then
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
    local ok, result = xpcall(load_module, frames.passing, generation, env, name)
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
  return require
end

return modules
