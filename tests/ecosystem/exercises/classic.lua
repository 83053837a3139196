local Object = require "classic"
local Point = Object:extend()
function Point:new(x) self.x = x end
local Place = Point:extend()
function Place:new(x)
  Place.super.new(self, x + 1)
end
local place = Place(1)
assert(place.x == 2 and place:is(Point) and place:is(Object))
