local json = require "dkjson"
local t = json.decode(json.encode({ b = { 1, 2 }, a = "x" }, { indent = true }))
assert(t.b[2] == 2 and t.a == "x")
assert(select(3, json.decode "{") ~= nil)
