-- not beside: json.decode
local json = require "json"
local back = json.decode(json.encode { a = { 1, 2 }, b = "\n" })
assert(back.a[2] == 2 and back.b == "\n")
assert(not pcall(json.decode, "{"))
