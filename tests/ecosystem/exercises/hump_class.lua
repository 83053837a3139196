local Class = require "hump.class"
local A = Class { init = function(self, n) self.n = n end }
function A:double() return self.n * 2 end
local B = Class { __includes = A }
assert(B(4):double() == 8)
