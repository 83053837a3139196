local struct = require "struct"
local packed = struct.pack("<Lhdsc5", 7, -2, 1.5, "text", "hello")
local a, b, c, d, e = struct.unpack("<Lhdsc5", packed)
assert(a == 7 and b == -2 and c == 1.5 and d == "text" and e == "hello")
