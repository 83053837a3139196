local csv = require "ftcsv"
local rows, names = csv.parse("a,b\r\n1,\"x, y\"\r\n2,z", ",", { loadFromString = true })
assert(#rows == 2 and rows[1].b == "x, y" and names[2] == "b")
assert(csv.encode({ { a = 1, b = 2 } }, ",", { fieldsToKeep = { "a" } }):find '"1"')
