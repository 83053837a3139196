local toml = require "toml"
local read = toml.parse "a = 1\n[b]\nc = [1, 2]\nd = \"x\"\n"
assert(read.a == 1 and read.b.c[2] == 2 and read.b.d == "x")
assert(toml.encode({ a = 1 }):find "a = 1")
