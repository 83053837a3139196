local ltn12 = require "ltn12"
local out = {}
ltn12.pump.all(ltn12.source.string "hello", (ltn12.sink.table(out)))
assert(table.concat(out) == "hello")
