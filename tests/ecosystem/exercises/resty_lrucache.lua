local lru = require "resty.lrucache"
local c = lru.new(2)
c:set("a", 1)
assert(c:get "a" == 1)
