local input = require "pl.input"
local t = {}
for n in input.numbers "1 2 3" do t[#t + 1] = n end
assert(t[3] == 3)
