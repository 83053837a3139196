local OrderedMap = require "pl.OrderedMap"
local m = OrderedMap()
m:set("z", 1)
m:set("a", 2)
assert(m:keys()[1] == "z")
