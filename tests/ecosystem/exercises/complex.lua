local complex = require "complex"
local z = complex { 1, 2 } * complex { 3, -1 }
assert(z[1] == 5 and z[2] == 5)
assert(tostring(complex "1+2i") == "1+2i")
