local tablex = require "pl.tablex"
assert(tablex.deepcompare(tablex.deepcopy { a = { 1 } }, { a = { 1 } }))
