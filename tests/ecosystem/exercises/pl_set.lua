local Set = require "pl.Set"
assert((Set { 1, 2 } * Set { 2, 3 })[2])
