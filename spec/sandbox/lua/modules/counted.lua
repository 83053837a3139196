-- Counts how often it is loaded, and gives what it was called with.
local times = (rawget(_G, "times_loaded") or 0) + 1
rawset(_G, "times_loaded", times)
return { name = ..., times = times }
