local url = require "socket.url"
assert(url.parse("http://h:80/p").port == "80")
