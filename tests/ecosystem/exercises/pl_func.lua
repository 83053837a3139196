local func = require "pl.func"
local _1 = func._1
assert(func.I(_1 + 1)(2) == 3)
