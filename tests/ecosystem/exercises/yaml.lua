local yaml = require "yaml"
local read = yaml.eval "name: a\nlist:\n  - 1\n  - two\nnested:\n  deep: true\n"
assert(read.name == "a" and read.list[2] == "two" and read.nested.deep == true)
