local compat = require "pl.compat"
assert(compat.lua51 and compat.jit)
assert(compat.load("return x", "c", "t", { x = 5 })() == 5)
