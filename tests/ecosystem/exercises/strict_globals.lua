local inspect = require "inspect"
local known = {}
setmetatable(_G, {
  __newindex = function(t, name, value)
    known[name] = true
    rawset(t, name, value)
  end,
  __index = function(_, name)
    if not known[name] then
      error("variable '" .. tostring(name) .. "' is not declared", 2)
    end
  end,
})
declared = 1
local ok, problem = pcall(function() return not_declared end)
local said = inspect { declared }
setmetatable(_G, nil)
assert(not ok and problem:find "is not declared", problem)
assert(said == "{ 1 }")
