local memoize = require "memoize"
local calls = 0
local square = memoize(function(n)
  calls = calls + 1
  return n * n
end)
assert(square(3) == 9 and square(3) == 9 and calls == 1)
