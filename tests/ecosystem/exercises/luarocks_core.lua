local vers = require "luarocks.core.vers"
assert(vers.compare_versions("1.10", "1.9"))
