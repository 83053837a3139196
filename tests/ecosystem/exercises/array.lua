local array = require "array"
local doubled = array.map({ 1, 2, 3 }, function(n) return n * 2 end)
assert(table.concat(doubled, "-") == "2-4-6" and array.is_array(doubled))
assert(array.reduce(doubled, function(a, b) return a + b end, 0) == 12)
