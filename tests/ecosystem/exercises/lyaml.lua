local lyaml = require "lyaml"
assert(lyaml.load("a: [1, 2]").a[2] == 2)
assert(lyaml.dump({ { a = 1 } }):find "a: 1")
