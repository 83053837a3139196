local cli = require "cliargs"
cli:set_name "tool"
cli:argument("IN", "input")
cli:flag("-v, --verbose", "says more")
local args = cli:parse { "-v", "file" }
assert(args.IN == "file" and args.v)
