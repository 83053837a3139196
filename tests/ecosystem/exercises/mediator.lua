local mediator = require "mediator"()
local got
mediator:subscribe({ "a", "b" }, function(x) got = x end)
mediator:publish({ "a", "b" }, 5)
assert(got == 5)
