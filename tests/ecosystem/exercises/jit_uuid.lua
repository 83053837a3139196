local uuid = require "resty.jit-uuid"
uuid.seed(1)
local one = uuid()
assert(uuid.is_valid(one) and one ~= uuid())
assert(not uuid.is_valid "none")
