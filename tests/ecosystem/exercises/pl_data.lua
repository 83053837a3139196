local data = require "pl.data"
local d = data.read(require("pl.stringio").open "x,y\n1,2\n3,4\n")
assert(d:column_by_name("y")[2] == 4)
