-- Where a worker is spawned: kept at every spawn, for the error that it may end in.
-- getinfo makes a table of 16 slots each time, half of what a spawn costs else. jit.profile's
-- dumpstack gives the last levels of the stack as one string, the same one for every spawn of a
-- place, for a quarter of that; but it writes into one buffer for all VMs of the process, which
-- belongs to the VM that used it first. So the first VM of a process, and no other ever, uses it.
local frames = require "swarm.ground.frames"
local is_first_vm = require("swarm.vm").is_first
local getinfo = debug.getinfo
local find, match, sub, type = string.find, string.match, string.sub, type

local site = {}

local found, profile = pcall(require, "jit.profile")

-- A public function that spawns calls site.take(FORMAT, LEVELS) itself: what is two levels above
-- take is the author's code.
site.FORMAT, site.LEVELS = "pl\n", 3

---Where the function that calls this was called, for site.place.
---@param format string
---@param levels integer
---@return any
function site.take(format, levels) -- luacheck: no unused args
  return getinfo(levels - 1, "Sl") -- a tail call: this function's own level is gone
end

if found and is_first_vm then
  site.take = profile.dumpstack
end

-- Habits: from where one definition spawns another.
local SEEN = 256 -- spawns from one and the same place, after which it is taken for granted
local GRANTED = 65536 -- spawns that it is taken for granted; then one is looked at again

local function same(a, b)
  return a == b
    or (
      type(a) == "table"
      and type(b) == "table"
      and a.currentline == b.currentline
      and a.source == b.source
    )
end

---What is known after a spawn at a place.
---@param habit table? what was known before
---@return table { site, seen, left: spawns for which `site` is taken for granted }
function site.habit(habit, taken)
  if not habit or not same(habit.site, taken) then
    -- Of two places that take turns neither is ever granted.
    return { site = taken, seen = habit and -GRANTED or 1, left = 0 }
  end
  habit.seen = habit.seen + 1
  if habit.seen >= SEEN then
    habit.seen, habit.left = SEEN - 1, GRANTED
  end
  return habit
end

local places = {} -- site → file:line or false; as many as there are places in the code

---A site as file:line, or nil where the caller is not the author's code.
---@return string?
function site.place(taken)
  if type(taken) == "table" then
    return not frames.is_host(taken) and frames.source_of(taken) .. ":" .. taken.currentline or nil
  end
  local place = places[taken]
  if taken and place == nil then
    place = match(taken, "\n([^\n]+)\n$")
    place = place and find(place, ":%d+$") and sub(place, 1, 6) ~= "swarm/" and place or false
    places[taken] = place
  end
  return place or nil
end

return site
