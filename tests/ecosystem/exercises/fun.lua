local fun = require "fun"
local even = fun.range(10):filter(function(n) return n % 2 == 0 end)
local sum = even:map(function(n) return n * n end):sum()
assert(sum == 220)
assert(fun.zip({ 1, 2 }, { "a", "b" }):length() == 2)
