-- Where a worker is spawned: kept at every spawn, for the error that it may end in.
-- getinfo makes a table of 16 slots each time, half of what a spawn costs else. jit.profile's
-- dumpstack gives the last levels of the stack as one string, the same one for every spawn of a
-- place, for a quarter of that; but it writes into one buffer for all VMs of the process, which
-- belongs to the VM that used it first. So the first VM of a process, and no other ever, uses it.
local errors = require "swarm.errors"
local is_first_vm = require("swarm.vm").is_first
local getinfo = debug.getinfo
local find, match, sub, type = string.find, string.match, string.sub, type

local site = {}

local found, profile = pcall(require, "jit.profile")

if found and is_first_vm then
  local dumpstack = profile.dumpstack
  ---The place in the author's code that called the public function that calls this.
  ---@return any site for site.place
  function site.take()
    return dumpstack("pl\n", 3) -- a tail call: dumpstack, the public function, the author's
  end
else
  function site.take()
    return getinfo(2, "Sl")
  end
end

---A site as file:line, or nil where the caller is not the author's code.
---@return string?
function site.place(taken)
  if type(taken) == "table" then
    return not errors.is_host_frame(taken) and errors.source_of(taken) .. ":" .. taken.currentline
      or nil
  end
  local place = taken and match(taken, "\n([^\n]+)\n$")
  if place and find(place, ":%d+$") and sub(place, 1, 6) ~= "swarm/" then
    return place
  end
end

return site
