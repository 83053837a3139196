local class = require "pl.class"
local A = class()
function A:_init(x) self.x = x end
local B = class(A)
assert(B(5).x == 5 and A:class_of(B(1)))
