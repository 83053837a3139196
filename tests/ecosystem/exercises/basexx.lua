local basexx = require "basexx"
assert(basexx.from_base64(basexx.to_base64 "hello") == "hello")
assert(basexx.to_hex "\255" == "FF")
