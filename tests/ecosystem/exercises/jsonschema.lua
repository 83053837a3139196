local jsonschema = require "jsonschema"
local check = jsonschema.generate_validator {
  type = "object",
  properties = { name = { type = "string" }, age = { type = "integer", minimum = 0 } },
  required = { "name" },
}
assert(check { name = "a", age = 3 })
assert(not check { age = 3 } and not check { name = "a", age = -1 })
