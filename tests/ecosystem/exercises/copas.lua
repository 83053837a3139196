local copas = require "copas"
local seen = {}
copas.addthread(function()
  seen[1] = true
end)
copas.step(0)
assert(seen[1])
