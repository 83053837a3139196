-- What every call that waits says where it cannot.
local errors = require "swarm.ground.errors"

local waits = {}

---A call that must wait has a C function of Lua's between itself and its worker.
function waits.barred(call)
  return errors.throw(
    "invalid_argument",
    call
      .. " cannot wait inside a function that string.gsub or table.sort calls: collect first, then "
      .. call
      .. " in a loop of its own"
  )
end

return waits
