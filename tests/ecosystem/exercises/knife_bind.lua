local bind = require "knife.bind"
local add = bind(function(a, b, c) return a .. b .. c end, "x", "y")
assert(add "z" == "xyz")
