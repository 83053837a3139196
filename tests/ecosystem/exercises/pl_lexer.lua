local lexer = require "pl.lexer"
local kinds = {}
for kind in lexer.lua("x = 1") do kinds[#kinds + 1] = kind end
assert(kinds[1] == "iden" and kinds[3] == "number")
