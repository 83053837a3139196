local Base = require "knife.base"
local Animal = Base:extend { legs = 4 }
function Animal:constructor(name) self.name = name end
local cat = Animal "Tom"
assert(cat.name == "Tom" and cat.legs == 4)
