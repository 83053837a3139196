local m = require "MessagePack"
local t = m.unpack(m.pack { a = { 1, 2, "x" }, b = true })
assert(t.a[3] == "x" and t.b == true)
