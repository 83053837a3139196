local moonscript = require "moonscript.base"
local code = moonscript.to_lua "double = (x) -> x * 2"
assert(code:find "return x %* 2")
assert(moonscript.loadstring "class A\n  new: => @n = 4\nA!.n"() == 4)
