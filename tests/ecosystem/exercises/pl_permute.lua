local permute = require "pl.permute"
assert(#permute.table { 1, 2, 3 } == 6)
