local chain = require "knife.chain"
local got, later = {}, nil
chain(function(go)
  later = go
end)(function(go)
  got[#got + 1] = 1
  go()
end)(function()
  got[#got + 1] = 2
end)()
later()
assert(#got == 2)
