local memoize = require "knife.memoize"
local calls = 0
local add = memoize(function(a, b)
  calls = calls + 1
  return a + b
end)
assert(add(1, 2) == 3 and add(1, 2) == 3 and calls == 1)
