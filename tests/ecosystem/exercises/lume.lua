local lume = require "lume"
assert(lume.round(2.5) == 3 and lume.count { 1, 2, 3 } == 3)
local doubled = lume.map({ 1, 2 }, lume.lambda "x -> x * 2")
local sum = lume.reduce(doubled, function(a, b) return a + b end)
assert(sum == 6 and lume.format("{1}-{b}", { "a", b = 2 }) == "a-2")
assert(lume.deserialize(lume.serialize { 1, { 2 } })[2][1] == 2)
