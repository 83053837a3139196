local seq = require "pl.seq"
assert(seq.sum { 1, 2, 3 } == 6)
