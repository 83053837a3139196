-- What the guarded tier promises, proved on the very build that runs: LuaJIT comes in many builds,
-- and lupa opens some of what it has. Where a promise does not hold nothing starts.
local errors = require "swarm.ground.errors"
local pairs, pcall, rawget, type = pairs, pcall, rawget, type
local dump, find = string.dump, string.find

local proof = {}

---Whether a name of a library does something.
local function answers(env, library, name, ...)
  local of = rawget(env, library)
  local fn = type(of) == "table" and of[name]
  local ok, got = pcall(fn or nil, ...)
  return ok and got ~= nil
end

local function mine() end

---Promise → function(env) that says whether it is broken.
local PROMISES = {
  ["no Python object is a global"] = function(env)
    return rawget(env, "python") ~= nil or rawget(_G, "python") ~= nil
  end,
  ["ffi, jit and package are those of guarded scripts"] = function(env)
    local package = rawget(env, "package")
    return rawget(env, "ffi") ~= nil
      or rawget(env, "jit") == jit
      or type(package) == "table" and (package.loaded == _G.package.loaded or package.loadlib)
  end,
  ["no library table is the host's"] = function(env)
    for _, name in pairs { "string", "table", "math", "bit", "os", "io", "debug", "coroutine" } do
      if rawget(env, name) == _G[name] then
        return true
      end
    end
  end,
  ["bytecode is not loaded"] = function(env)
    local code = dump(mine)
    return env.load(code) ~= nil
      or env.loadstring(code) ~= nil
      or env.load(code, "x", "b") ~= nil
      or answers(env, "string", "dump", mine)
  end,
  ["strings have no metatable to change, and no dump"] = function(env)
    return type(env.getmetatable "") == "table" or ("").dump ~= nil
  end,
  ["no function of debug reaches behind a function or a frame"] = function(env)
    return answers(env, "debug", "getregistry")
      or answers(env, "debug", "getupvalue", answers, 1)
      or answers(env, "debug", "setupvalue", answers, 1, pcall)
      or answers(env, "debug", "getlocal", 1, 1)
      or answers(env, "debug", "upvalueid", answers, 1)
      or answers(env, "debug", "setmetatable", {}, nil)
  end,
  ["no function of the host's has its environment read or set"] = function(env)
    local ok, got = pcall(env.getfenv, answers)
    return ok and got == _G or (pcall(env.setfenv, answers, {}))
  end,
  ["nothing runs when it is collected"] = function(env)
    return rawget(env, "newproxy") ~= nil
  end,
  ["texts show no addresses"] = function(env)
    local shown = env.tostring(env) .. env.string.format("%s %p", env, env) .. ("%p"):format "x"
    return find(shown, "0x%x*[1-9a-f]%x%x%x%x%x") ~= nil
  end,
  ["what belongs to the process is not a script's"] = function(env)
    return answers(env, "os", "setlocale") or rawget(env, "collectgarbage") == collectgarbage
  end,
}

---The promises that an environment breaks.
---@param env table
---@return string[]
function proof.broken(env)
  local list = {}
  for promise, is_broken in pairs(PROMISES) do
    local ok, broken = pcall(is_broken, env)
    if not ok or broken then
      list[#list + 1] = promise
    end
  end
  table.sort(list)
  return list
end

local proved = false

---Raises where the guarded tier does not hold on this build; it looks once.
function proof.check(env)
  if proved then
    return
  end
  local broken = proof.broken(env)
  if broken[1] then
    return errors.throw(
      "host_error",
      "swarm-host does not start: guarded scripts are not held by this build of LuaJIT. It does "
        .. "not hold that "
        .. table.concat(broken, "; that ")
        .. ". Run with --trust where the script is yours, and tell us"
    )
  end
  proved = true
end

return proof
