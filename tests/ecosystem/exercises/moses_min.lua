local M = require "moses_min"
assert(M.sum { 1, 2, 3 } == 6)
