local a = require "modules.cycle_a"
return a
