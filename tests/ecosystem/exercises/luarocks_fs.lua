require("luarocks.core.cfg").init()
local fs = require "luarocks.fs"
fs.init()
assert(type(fs.current_dir()) == "string")
