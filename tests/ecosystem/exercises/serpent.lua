local serpent = require "serpent"
local value = { 1, { a = "x" }, [true] = 2 }
value.self = value
local ok, back = serpent.load(serpent.dump(value))
assert(ok and back[2].a == "x" and back.self == back)
assert(serpent.line({ 3, 4 }, { comment = false }) == "{3, 4}")
