local ipv4 = require("lpeg_patterns.IPv4").IPv4address
assert(tostring(ipv4:match "127.0.0.1") == "127.0.0.1")
