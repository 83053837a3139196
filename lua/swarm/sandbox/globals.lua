-- The globals of a guarded script: a name that nobody has defined raises, with the nearest, where a
-- script or a module of its own reads it; libraries are left to probe. The metatable that does it
-- is the host's: a script sees none, and one that it sets is heard beside it.
local chunks = require "swarm.sandbox.chunks"
local closed = require "swarm.ground.closed"
local errors = require "swarm.ground.errors"
local frames = require "swarm.ground.frames"
local shown = require "swarm.ground.shown"
local spelling = require "swarm.ground.spelling"
local getinfo, getlocal, getupvalue = debug.getinfo, debug.getlocal, debug.getupvalue
local type, pairs, rawget, rawset, rawequal = type, pairs, rawget, rawset, rawequal
local real_getmetatable, real_setmetatable = getmetatable, setmetatable
local sub, floor = string.sub, math.floor
local real, real_getfenv, real_setfenv = _G, getfenv, setfenv

local globals = {
  PROBED = {}, -- what scripts ask for to find out in which Lua they run
}

local PROBED = globals.PROBED
for _, name in pairs {
  "_ENV",
  "_TEST",
  "_PROMPT",
  "bit32",
  "ffi",
  "jit",
  "love",
  "module",
  "newproxy",
  "ngx",
  "rawlen",
  "table_unpack",
  "utf8",
  "vim",
  "warn",
  "gcinfo",
} do
  PROBED[name] = true
end

---Whether code of the script itself reads: not that of a library, nor what was made from a text.
local function is_own(info)
  local path = info and sub(info.source, 1, 1) == "@" and sub(info.source, 2)
  return path and chunks.texts[path] and not chunks.libraries[path]
end

---Names that whoever reads may have meant: globals, and what is local there.
local function candidates(env, offered, level)
  local known = {}
  for name in pairs(env) do
    known[name] = true
  end
  for name in pairs(offered) do
    known[name] = true
  end
  local i, name = 1, getlocal(level + 1, 1)
  while name do
    known[name] = sub(name, 1, 1) ~= "(" or nil
    i = i + 1
    name = getlocal(level + 1, i)
  end
  local fn = getinfo(level + 1, "f").func
  i, name = 1, getupvalue(fn, 1)
  while name do
    known[name] = true
    i = i + 1
    name = getupvalue(fn, i)
  end
  return known
end

---@param env table
---@param offered table names that are there without being fields of `env`
---@return function getmetatable, function setmetatable as scripts have them
function globals.guard(env, offered)
  local theirs -- the metatable that a script has set
  local defined = {} -- names that were assigned nil

  local function undefined(name)
    local info = getinfo(3, "S")
    if defined[name] or PROBED[name] or not is_own(info) then
      return nil
    end
    local what = "global " .. shown.value(name) .. " is not defined"
    local hint = spelling.hint(name, candidates(env, offered, 3), "")
    local ask = "; where it may be absent: rawget(_G, " .. shown.value(name) .. ")"
    return closed.throw(what .. (hint ~= "" and hint or ask), name)
  end

  local meta = { __metatable = "swarm.globals" }
  function meta.__index(_, name)
    local value = offered[name]
    if value ~= nil then
      return value
    end
    local index = theirs and rawget(theirs, "__index")
    if type(index) == "function" then
      return index(env, name)
    elseif index ~= nil then
      return index[name]
    end
    local nothing = undefined(name)
    return nothing
  end
  function meta.__newindex(_, name, value)
    local newindex = theirs and rawget(theirs, "__newindex")
    if type(newindex) == "function" then
      return newindex(env, name, value)
    elseif newindex ~= nil then
      newindex[name] = value
      return
    end
    defined[name] = true
    rawset(env, name, value)
  end
  real_setmetatable(env, meta)

  local function get(value)
    if rawequal(value, env) then
      local mark = theirs and rawget(theirs, "__metatable")
      if mark ~= nil then
        return mark
      end
      return theirs
    end
    return real_getmetatable(value)
  end

  local function set(value, metatable)
    if not rawequal(value, env) then
      return real_setmetatable(value, metatable)
    elseif metatable ~= nil and type(metatable) ~= "table" then
      return real_setmetatable({}, metatable) -- raises, as Lua has it
    elseif theirs and rawget(theirs, "__metatable") ~= nil then
      return errors.throw("failed", "cannot change a protected metatable")
    end
    theirs = metatable
    meta.__call = metatable and rawget(metatable, "__call")
    meta.__tostring = metatable and rawget(metatable, "__tostring")
    return env
  end
  return get, set
end

-- Functions of the author's -----------------------------------------------------------------------

---Whether a function is a script's: not the host's, not C, and none of those that LuaJIT has in
---bytecode (table.remove), which look like Lua and have the host's globals.
local function is_authors(fn)
  return type(fn) == "function"
    and not rawequal(real_getfenv(fn), real)
    and not frames.is_host(getinfo(fn, "S"))
end

local HIDDEN = { source = "=[C]", short_src = "[C]", what = "C", currentline = -1 }
HIDDEN.linedefined, HIDDEN.lastlinedefined = -1, -1
HIDDEN.nups, HIDDEN.nparams, HIDDEN.isvararg, HIDDEN.namewhat = 0, 0, true, ""

---What may be known of a frame or function: of one that is not the author's, that it is there.
local function told(info, fn)
  if not info then
    return nil
  elseif is_authors(fn) then
    return info
  end
  local hidden = {}
  for key in pairs(info) do
    hidden[key] = HIDDEN[key]
  end
  return hidden
end

---debug.getinfo for guarded scripts.
function globals.getinfo(first, second, third)
  local co = type(first) == "thread" and first or nil
  local of, what = first, second
  if co then
    of, what = second, third
  end
  what = what == nil and "nSluf" or what
  if type(what) ~= "string" or what:find "[^nSlufL]" then
    return errors.throw("invalid_argument", 'debug.getinfo takes of "nSlufL" in guarded scripts')
  elseif type(of) ~= "function" and type(of) ~= "number" then
    local message = "debug.getinfo takes a function or a level, and got " .. shown.value(of)
    return errors.throw("invalid_argument", message)
  end
  if type(of) == "number" then
    of = of == of and floor(of) or -1
  end
  if type(of) == "function" then
    return told(getinfo(of, what), of)
  elseif of < 0 then
    return nil
  elseif co then
    local info, full = getinfo(co, of, what), getinfo(co, of, "f")
    return told(info, full and full.func)
  elseif of < 1 then
    return told(getinfo(globals.getinfo, what), globals.getinfo)
  end
  local info, full = getinfo(of + 1, what), getinfo(of + 1, "f")
  return told(info, full and full.func)
end

---The author's function that `of` means: itself, or the one that runs at a level.
---@param depth number how many frames are between here and who asks
local function function_of(of, call, depth)
  if type(of) == "number" then
    if of < 1 then
      local message = call .. " takes no level below 1 in guarded scripts"
      return errors.throw("invalid_argument", message)
    end
    local info = getinfo(of + depth, "f")
    of = info and info.func
  end
  if not is_authors(of) then
    return errors.throw("invalid_argument", call .. " takes a function of the script's own")
  end
  return of
end

---@param env table
---@return function getfenv, function setfenv
function globals.environments(env)
  local function get(of)
    if of == 0 then
      return env
    end
    local fn = function_of(of == nil and 1 or of, "getfenv", 2)
    return real_getfenv(fn)
  end
  local function set(of, own)
    if type(own) ~= "table" then
      local message = "setfenv takes a table of globals, and got " .. shown.value(own)
      return errors.throw("invalid_argument", message)
    end
    local fn = function_of(of, "setfenv", 2)
    return real_setfenv(fn, own)
  end
  return get, set
end

return globals
