local lpeg = require "lulpeg"
local digits = lpeg.R "09" ^ 1 / tonumber
local sum = lpeg.Cf(digits * (lpeg.P "+" * digits) ^ 0, function(a, b) return a + b end)
assert(sum:match "1+20+300" == 321)
local V = lpeg.V
local nested = lpeg.P { "S", S = "(" * V "S" ^ 0 * ")" }
assert(nested:match "(()())" == 7 and not nested:match "(()")
