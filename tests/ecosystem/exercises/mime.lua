local mime = require "mime"
assert(mime.b64 "x" == "eA==")
