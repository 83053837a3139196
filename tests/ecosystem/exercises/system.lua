local system = require "system"
assert(system.gettime() > 0)
