local pretty = require "pl.pretty"
assert(pretty.read(pretty.write { 1, { a = 2 } })[2].a == 2)
assert(("x"):upper() == "X")
