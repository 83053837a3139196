local signal = require("hump.signal").new()
local got = {}
signal:register("hit", function(n) got[#got + 1] = n end)
signal:emit("hit", 5)
signal:emitPattern("^h", 6)
assert(got[1] == 5 and got[2] == 6)
