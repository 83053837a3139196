local path = require "pl.path"
assert(path.join("a", "b") == "a/b" and path.extension "x.lua" == ".lua")
