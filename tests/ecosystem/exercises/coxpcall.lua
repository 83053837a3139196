local co = require "coxpcall"
local ok, err = copcall(error, "x")
assert(not ok and err == "x" and co)
