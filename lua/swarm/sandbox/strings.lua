-- Strings are indexed through one metatable for the whole VM: what scripts reach through it must be
-- neither the host's `string` table nor a way to change it.
local addresses = require "swarm.values.addresses"
local S = require "swarm.scheduler.scheduler"
local type, pairs, rawget, setmetatable = type, pairs, rawget, setmetatable

local strings = {}

local methods = {}
for name, fn in pairs(string) do
  if name ~= "dump" then
    methods[name] = fn
  end
end
local real = debug.getmetatable ""
real.__index = methods
real.__metatable = "string"

---Texts show no addresses from now on.
function strings.hide_addresses()
  addresses.hide()
  methods.format = addresses.format
end

---The globals of the script whose worker runs.
local function env_now()
  local me = S.current
  return me and (me.task.def.loading or me.task.def.generation).env
end

-- A script that adds to its own `string` table finds it as a method too, and nobody else does.
setmetatable(methods, {
  __index = function(_, name)
    local env = env_now()
    local library = env and rawget(env, "string")
    return type(library) == "table" and rawget(library, name) or nil
  end,
})

-- Trusted scripts ---------------------------------------------------------------------------------

-- Globals → what stands for the metatable there, as long as they keep it.
local shown = setmetatable({}, { __mode = "kv" })

---Methods stay the host's where it has them; another `__index` is asked for what they lack.
local function index(text, name)
  local method = methods[name]
  if method ~= nil then
    return method
  end
  local mine = shown[env_now() or methods]
  local other = mine and mine.__index
  if type(other) == "function" then
    return other(text, name)
  end
  return type(other) == "table" and other[name] or nil
end

---The metatable of strings as a trusted script sees it: what it sets there holds, and no method of
---the host's can be taken away.
---@param env table
function strings.metatable(env)
  local mine = shown[env]
  if not mine then
    local fields = { __index = env.string }
    mine = setmetatable({}, {
      __index = fields,
      __newindex = function(_, key, value)
        fields[key] = value
        if key == "__index" then
          real.__index = index
        elseif key ~= "__metatable" then
          real[key] = value
        end
      end,
    })
    shown[env] = mine
  end
  return mine
end

return strings
