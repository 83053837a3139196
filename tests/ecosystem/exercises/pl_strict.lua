local strict = require "pl.strict"
local m = strict.module("m", {})
assert(not pcall(function() return m.nothing end))
