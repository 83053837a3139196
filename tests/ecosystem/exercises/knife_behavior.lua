local Behavior = require "knife.behavior"
local states = {
  default = { { duration = 1 }, { duration = 1, after = "done" } },
  done = { { duration = 9 } },
}
local one = Behavior(states)
one:update(1.5)
assert(one.index == 2)
one:update(1)
assert(one.state == "done")
