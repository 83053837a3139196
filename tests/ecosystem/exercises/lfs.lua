local lfs = require "lfs"
assert(lfs.attributes(lfs.currentdir(), "mode") == "directory")
