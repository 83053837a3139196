local event = require "knife.event"
local got
local handler = event.on("hit", function(n) got = n end)
event.dispatch("hit", 3)
handler:remove()
event.dispatch("hit", 4)
assert(got == 3)
