local parser = require "lua-parser.parser"
local tree = parser.parse("local x = 1 + 2", "a.lua")
assert(tree.tag == "Block" and tree[1].tag == "Local")
