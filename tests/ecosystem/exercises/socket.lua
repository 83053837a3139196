local socket = require "socket"
assert(socket.gettime() > 0)
