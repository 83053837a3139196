local b = require "modules.cycle_b"
return b
