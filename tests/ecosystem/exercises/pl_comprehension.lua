local C = require("pl.comprehension").new()
assert(C "x^2 for x=1,3"()[3] == 9)
