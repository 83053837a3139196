local parser = require "leg.parser"
assert(require("lpeg").match(parser.apply {}, "x = 1"))
