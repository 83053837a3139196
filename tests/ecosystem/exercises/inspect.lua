local inspect = require "inspect"
assert(inspect { 1, a = { b = 2 } } == "{ 1,\n  a = {\n    b = 2\n  }\n}")
local t = {}
t.t = t
assert(inspect(t):find "<table 1>")
