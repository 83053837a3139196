local serialize = require "knife.serialize"
local back = loadstring(serialize { 1, { a = "x" } })()
assert(back[2].a == "x")
