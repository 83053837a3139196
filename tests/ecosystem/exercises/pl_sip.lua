local sip = require "pl.sip"
local found = {}
assert(sip.match("$v{name} = $d{n}", "x = 5", found) and found.n == 5)
