-- Waits while it loads, so that others come to require it meanwhile.
require("swarm").sleep(10)
local times = (rawget(_G, "times_loaded") or 0) + 1
rawset(_G, "times_loaded", times)
return { times = times }
