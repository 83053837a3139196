local str = require "resty.string"
assert(str.to_hex "ab" == "6162")
