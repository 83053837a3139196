-- JSON text of a value, for Python; bytes that are not UTF-8 are replaced.
local json = require "swarm.values.json"

---@return string
return function(value)
  return (json.encode(value, "value", true))
end
