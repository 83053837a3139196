local busted = require "busted.core"()
assert(busted.status and busted.publish)
local status = require "busted.status"
assert(status("success"):success())
