local sha1 = require "sha1"
assert(sha1.sha1 "" == "da39a3ee5e6b4b0d3255bfef95601890afd80709")
assert(#sha1.hmac("key", "text") == 40)
