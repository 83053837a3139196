local luacheck = require "luacheck"
local report = luacheck.check_strings({ "local x = 1\nreturn y" }, { std = "lua51" })
assert(report.warnings == 2)
