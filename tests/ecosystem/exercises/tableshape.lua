local types = require("tableshape").types
local person = types.shape { name = types.string, age = types.number:is_optional() }
assert(person { name = "a" } and person { name = "a", age = 1 })
assert(not person { name = 1 })
local trimmed = types.string / function(text) return text:upper() end
assert(trimmed:transform "a" == "A")
