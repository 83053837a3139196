local system = require "knife.system"
local move = system({ "pos", "vel" }, function(pos, vel, dt) pos.x = pos.x + vel.x * dt end)
local thing = { pos = { x = 0 }, vel = { x = 2 } }
move(thing, 3)
assert(thing.pos.x == 6)
