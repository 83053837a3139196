local posix = require "posix.unistd"
assert(posix.getpid() > 0)
