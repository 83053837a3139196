local stable = require "stable"
assert(stable)
