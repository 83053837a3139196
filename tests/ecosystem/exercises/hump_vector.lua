local vector = require "hump.vector"
local v = vector(3, 4) + vector(0, 0)
assert(v:len() == 5 and (v * 2).x == 6 and tostring(v) == "(3,4)")
