local class = require "30log"
local Animal = class("Animal", { legs = 4 })
function Animal:init(name) self.name = name end
local Cat = Animal:extend "Cat"
local cat = Cat "Tom"
assert(cat.name == "Tom" and cat.legs == 4)
assert(class.isInstance(cat) and cat:instanceOf(Animal) and Cat:subclassOf(Animal))
