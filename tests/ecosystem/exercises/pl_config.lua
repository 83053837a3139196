local config = require "pl.config"
local t = config.read(require("pl.stringio").open "a = 1\nb = x,y\n")
assert(t.a == 1 and t.b[2] == "y")
