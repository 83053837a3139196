local parser = require "argparse" ("name", "what it does")
parser:argument "input"
parser:option("-o --output", "where to", "a.out")
local given = parser:parse { "in.txt", "-o", "x" }
assert(given.input == "in.txt" and given.output == "x")
assert(parser:get_help():find "Usage: name")
