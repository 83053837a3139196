local strict = require "pl.strict"
strict.module(nil, _G, { __global = true })
local pretty = require "pl.pretty"
local said = pretty.write({ 1 }, "")
local ok, problem = pcall(function() return some_name_that_nobody_has end)
setmetatable(_G, nil)
assert(said:find "1")
assert(not ok and problem:find "is not declared", problem)
