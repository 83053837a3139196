local fun = require "fun"
for name, fn in pairs(fun) do
  _G[name] = fn
end
local seen = {}
each(function(n) seen[#seen + 1] = n end, take(3, range(100)))
assert(#seen == 3 and sum(range(4)) == 10)
