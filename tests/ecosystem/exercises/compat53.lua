require "compat53"
assert(table.pack(1, nil, 3).n == 3)
assert(table.unpack { 7 } == 7)
assert(math.type(1) == "integer")
assert(utf8.char(228) == "\195\164")
