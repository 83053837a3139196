local sha1 = require("resty.sha1"):new()
assert(sha1:update "a" and #sha1:final() == 20)
