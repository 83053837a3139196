local class = require "middleclass"
local Shape = class "Shape"
function Shape:initialize(n) self.n = n end
function Shape.__add(a, b) return Shape(a.n + b.n) end
local Square = class("Square", Shape)
assert((Square(1) + Square(2)).n == 3)
assert(Square:isSubclassOf(Shape) and Square(1):isInstanceOf(Shape))
assert(tostring(Square) == "class Square")
