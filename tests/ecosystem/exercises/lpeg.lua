local lpeg = require "lpeg"
assert(lpeg.match(lpeg.C(lpeg.R "09" ^ 1), "123x") == "123")
