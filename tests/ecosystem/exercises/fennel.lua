local fennel = require "fennel"
assert(fennel.eval "(+ 1 2 (* 3 4))" == 15)
local made = fennel.compileString "(fn double [x] (* x 2)) double"
assert(made:find "function")
assert(fennel.eval("(let [t {:a [1 2 3]}] (. t.a 2))") == 2)
