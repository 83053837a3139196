-- not beside: md5.core
local md5 = require "md5"
assert(md5.sumhexa "x" == "9dd4e461268c8034f5c8564e155c67a6")
assert(#md5.sum "x" == 16)
