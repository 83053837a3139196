local lapp = require "pl.lapp"
local args = lapp("test\n -v verbose\n <file> (string)\n", { "-v", "f.txt" })
assert(args.v and args.file == "f.txt")
