-- beside: json.decode
local json = require "json"
assert(json.decode("[1, 2]")[2] == 2)
assert(json.encode { 1, 2 } == "[1,2]")
