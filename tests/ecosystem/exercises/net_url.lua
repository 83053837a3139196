local url = require "net.url"
local one = url.parse "http://user@host:80/a/../b?x=1&y[]=2#top"
assert(one.host == "host" and one.query.x == "1" and one.fragment == "top")
assert(tostring(one:normalize()):find "/b?")
