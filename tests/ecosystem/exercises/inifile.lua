local inifile = require "inifile"
local t = inifile.parse("[a]\nx=1\ny=text\n", "memory")
assert(t.a.x == 1 and t.a.y == "text")
